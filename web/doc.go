// Package web is what we show to people: pages made on the server, which work
// without scripts and better with them. It holds no rule of its own: what
// somebody may do, and why not, is asked of the store.
package web
