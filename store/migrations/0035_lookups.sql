-- What every approval and every page of a step asks for.
create index decision_authority_idx on decision ((coalesce(on_behalf_of, person_id)), decided_at);

-- The steps that are done, the latest first: all but the live ones.
create index step_done_idx on step (expires_at, id)
    where state not in ('blocked', 'pending', 'changes_requested', 'approved', 'executing', 'unknown', 'failed', 'compensating', 'compensation_failed');
