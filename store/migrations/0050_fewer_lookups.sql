-- Whoever decides has locked the step, and a step with a decision stays. An execution
-- commits for an approved step only, and that stays too.

create or replace function check_step_delete() returns trigger language plpgsql as $$
begin
    if old.state <> 'superseded' or old.audited > 0 or exists (select from decision where step_id = old.id) then
        raise exception 'step % stays: it is %', old.id, old.state
            using errcode = 'integrity_constraint_violation', constraint = 'step_stays';
    end if;
    return old;
end
$$;

alter table decision drop constraint decision_step_id_fkey;
alter table execution drop constraint execution_step_id_fkey;

-- One comparison instead of a branch for each state.
create or replace function step_may_become(was text, becomes text) returns boolean
language sql immutable parallel safe as $$
    select was || ' ' || becomes in (
        'blocked pending', 'blocked withdrawn', 'blocked expired', 'blocked superseded',
        'pending pending', 'pending approved', 'pending rejected', 'pending changes_requested', 'pending withdrawn', 'pending expired',
        'pending superseded',
        'changes_requested changes_requested', 'changes_requested rejected', 'changes_requested withdrawn', 'changes_requested expired',
        'changes_requested superseded',
        'approved withdrawn', 'approved executing', 'approved invalidated',
        'executing executing', 'executing succeeded', 'executing unknown', 'executing failed', 'executing compensating',
        'unknown executing', 'unknown succeeded', 'unknown failed', 'unknown compensating',
        'failed executing', 'failed invalidated', 'failed withdrawn',
        'compensating compensating', 'compensating compensated', 'compensating compensation_failed',
        'compensation_failed compensating', 'compensation_failed compensated')
$$;
