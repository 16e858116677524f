// Package api is what we say to programs: events in, risk and the count queue
// out, over HTTP and described by its own OpenAPI document. It parses, asks the
// other packages and answers; it holds no rule of its own.
package api
