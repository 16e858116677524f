package main

import (
	"strings"
	"testing"
)

func TestKeysThatAreRefused(t *testing.T) {
	for says, c := range map[string]keyAddCmd{
		"no scope":           {Scopes: []string{"risk:all"}, Days: 90},
		"no site is called":  {Scopes: []string{"risk:read"}, Sites: []string{"DC7", "*"}, Days: 90},
		"its own source too": {Scopes: []string{"events:write"}, Sites: []string{"DC7"}, Days: 90},
		"between 1 and 366":  {Scopes: []string{"events:write"}, Days: 367},
	} {
		if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
}
