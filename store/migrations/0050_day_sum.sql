-- What a decision draws from a day's limit is kept with it: summing up a day read every
-- step that somebody had approved in it, to approve one more.

alter table decision add column value_minor bigint;
comment on column decision.value_minor is 'of the step';
alter table decision disable trigger decision_change;
update decision d set value_minor = s.value_minor from step s where s.id = d.step_id;
alter table decision enable trigger decision_change;
alter table decision alter column value_minor set not null;

create or replace function check_decision() returns trigger language plpgsql as $$
declare
    s      step;
    broken text;
begin
    broken := case
        when not new.verdict = any (verdicts()) then 'decision_verdict'
        when not (new.verdict = 'approve') = (new.slot is not null) then 'decision_slot'
        when not (new.as_role is null or new.verdict = 'approve' and new.as_role <> new.slot) then 'decision_as_role'
        when not new.strength in ('session', 'fresh') then 'decision_strength_check'
        when not new.session <> '' then 'decision_session_check'
        when not new.incident <> '' then 'decision_incident_check'
        when not (new.incident is null or new.verdict = 'approve' and new.strength = 'fresh') then 'decision_incident'
        when not (new.verdict = 'approve' and new.incident is null or new.reason <> '') then 'decision_reason'
        when not new.person_id <> new.on_behalf_of then 'decision_people'
    end;
    if broken is not null then
        perform refuse_row('decision', broken);
    end if;
    select * into strict s from step where id = new.step_id for update;
    if s.state not in ('pending', 'changes_requested') or new.verdict <> 'reject' and s.state <> 'pending' then
        raise exception 'step % is %', s.id, s.state
            using errcode = 'integrity_constraint_violation', constraint = 'decision_pending';
    end if;
    -- As long as the step's, which is 32 bytes.
    if new.binding is distinct from s.binding then
        raise exception 'step % asks for something else', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_binding';
    end if;
    if new.decided_at >= s.expires_at then
        raise exception 'step % expired', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_in_time';
    end if;
    if new.as_role is not null and not exists (
        select from stand_ins(s.requirement) x
        where x.slot = new.slot and x.role = new.as_role and s.waits_since + x.after <= least(new.decided_at, clock_timestamp()))
    then
        raise exception '% may not stand in for % on step % now', new.as_role, new.slot, s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_stands_in';
    end if;
    broken := case
        when exists (
            select from person
            where id in (new.person_id, new.on_behalf_of) and deactivated_at is not null)
        then 'decision_active'
        when new.verdict = 'approve' and exists (
            select
            from recommendation r, jsonb_array_elements(r.parties) party
            left join person_ref f on f.ref = party ->> 'ref'
            where r.id = s.recommendation_id
                and (party ->> 'part' = 'proposer' or s.requirement -> 'excludes' ? (party ->> 'part'))
                and coalesce((party ->> 'person')::bigint, f.person_id) in (new.person_id, new.on_behalf_of))
        then 'decision_duties'
        when new.verdict = 'approve' and not exists (
            select from role_grant g
            where g.person_id = coalesce(new.on_behalf_of, new.person_id) and g.role = coalesce(new.as_role, new.slot)
                and g.site in (s.site, '*') and g.revoked_at is null)
        then 'decision_role'
    end;
    if broken is not null then
        raise exception '% decides step %: %', new.person_id, s.id, case broken
                when 'decision_active' then 'somebody is not active'
                when 'decision_duties' then 'a party to it cannot approve it'
                else 'who approves does not hold the role'
            end
            using errcode = 'integrity_constraint_violation', constraint = broken;
    end if;
    new.value_minor := s.value_minor;
    return new;
end
$$;

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
