package models

import (
	"runtime"
	"sync/atomic"
)

// A crew is the caller and some goroutines that work through tasks together,
// time after time. Regions of a fit last a millisecond and follow each other
// at once: whoever is done first looks out for the next for a while before
// going to sleep, because to wake a sleeper takes as long as many a region.
type crew struct {
	size   int // at least 1
	latest atomic.Pointer[region]
	wake   []chan struct{} // of each goroutine, holds one
	done   chan struct{}   // told by whoever finishes a region
}

// A region is a number of tasks that may run at once.
type region struct {
	task   func(worker, i int)
	tasks  int64
	taken  atomic.Int64
	undone atomic.Int64
}

// lookouts is how often a crew looks for something to do before it sleeps:
// some ten microseconds.
const lookouts = 1 << 15

// newCrew returns a crew of size workers, the caller included. Dismiss it.
func newCrew(size int) *crew {
	c := &crew{size: size, wake: make([]chan struct{}, size-1), done: make(chan struct{}, 1)}
	idle := new(region)
	c.latest.Store(idle)
	for i := range c.wake {
		c.wake[i] = make(chan struct{}, 1)
		go c.follow(i+1, idle)
	}
	return c
}

// run calls task(0) to task(tasks-1) and waits for them. Put the longest tasks
// first. worker, below the size, says who runs the task, for scratch memory.
func (c *crew) run(tasks int, task func(worker, i int)) {
	if c.size == 1 || tasks <= 1 {
		for i := range tasks {
			task(0, i)
		}
		return
	}
	r := &region{task: task, tasks: int64(tasks)}
	r.undone.Store(r.tasks)
	c.post(r)
	c.work(0, r)
	for look := 0; look < lookouts && r.undone.Load() > 0; look++ {
	}
	<-c.done
}

// dismiss ends the goroutines.
func (c *crew) dismiss() { c.post(nil) }

func (c *crew) post(r *region) {
	c.latest.Store(r)
	for _, wake := range c.wake {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// follow works on every region posted after last.
func (c *crew) follow(worker int, last *region) {
	for r := c.next(worker, last); r != nil; r = c.next(worker, r) {
		c.work(worker, r)
	}
}

// next waits for another region than last; nil when the crew is dismissed.
func (c *crew) next(worker int, last *region) *region {
	for {
		for range lookouts {
			if r := c.latest.Load(); r != last {
				return r
			}
		}
		runtime.Gosched()
		if c.latest.Load() == last {
			<-c.wake[worker-1]
		}
	}
}

func (c *crew) work(worker int, r *region) {
	for i := r.taken.Add(1) - 1; i < r.tasks; i = r.taken.Add(1) - 1 {
		r.task(worker, int(i))
		if r.undone.Add(-1) == 0 {
			c.done <- struct{}{}
		}
	}
}
