-- What was recorded since a step was approved. Events are recorded in the order of
-- their places on disk, so that a summary of the blocks finds them and costs the
-- intake next to nothing.

create index event_recorded_idx on event using brin (recorded_at) with (pages_per_range = 16, autosummarize = on);
