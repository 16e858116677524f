//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pglocal

import "testing"

// BenchmarkWarmStart is the start and the stop of an existing cluster.
func BenchmarkWarmStart(b *testing.B) {
	dir := b.TempDir() + "/pg"
	b.Cleanup(func() {
		if err := Remove(b.Context(), Config{Dir: dir}); err != nil {
			b.Error(err)
		}
	})
	for b.Loop() {
		s, err := Start(b.Context(), Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
