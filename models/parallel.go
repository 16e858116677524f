package models

import (
	"sync"
	"sync/atomic"
)

// parallel runs task(0) to task(tasks-1) on at most threads goroutines and
// waits for them. Put the longest tasks first. worker, below threads, says
// which goroutine runs the task, for scratch memory.
func parallel(threads, tasks int, task func(worker, i int)) {
	if threads = min(threads, tasks); threads <= 1 {
		for i := range tasks {
			task(0, i)
		}
		return
	}
	var next atomic.Int64
	var running sync.WaitGroup
	work := func(worker int) {
		for i := int(next.Add(1)) - 1; i < tasks; i = int(next.Add(1)) - 1 {
			task(worker, i)
		}
	}
	for worker := 1; worker < threads; worker++ {
		running.Go(func() { work(worker) })
	}
	work(0)
	running.Wait()
}
