// Package web is what we show to people: pages made on the server, which work
// without scripts and better with them. It holds no rule of its own. Pages have
// no login yet: whoever can reach them can read them.
package web
