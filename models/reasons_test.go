package models

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGroupReasons(t *testing.T) {
	contributions := []float64{0.5, -0.2, 0.1, 0.3, -0.9, 9}
	groups := []int{2, 2, 0, 0, 1, -1}
	tests := []struct {
		name string
		k    int
		want []Reason
	}{
		{"a group that lowers the margin is no reason", 5, []Reason{
			{Group: 0, Contribution: 0.4, Feature: 3},
			{Group: 2, Contribution: 0.3, Feature: 0},
		}},
		{"the strongest come first", 1, []Reason{{Group: 0, Contribution: 0.4, Feature: 3}}},
		{"none asked for, none given", 0, []Reason{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, GroupReasons(contributions, groups, tt.k)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
