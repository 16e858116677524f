package models

import (
	"sync/atomic"
	"testing"
)

func TestCrewRunsEveryTaskOnce(t *testing.T) {
	for _, size := range []int{1, 2, 5} {
		c := newCrew(size)
		for region := range 2000 {
			tasks := region % 23
			ran := make([]atomic.Int32, tasks)
			c.run(tasks, func(worker, i int) {
				if worker < 0 || worker >= size {
					t.Errorf("crew of %d: task runs on worker %d", size, worker)
				}
				ran[i].Add(1)
			})
			for i := range ran {
				if n := ran[i].Load(); n != 1 {
					t.Fatalf("crew of %d, %d tasks: task %d ran %d times", size, tasks, i, n)
				}
			}
		}
		c.dismiss()
	}
}
