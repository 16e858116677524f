-- A position whose count was approved, or refused, rests for a while.

create index step_counted_idx on step (site, changed_at)
where action = 'count_position' and state in ('succeeded', 'rejected', 'withdrawn');
