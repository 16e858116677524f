-- More of what a decision must be, of which the database held the program's word only:
-- it is made now, by who signed in anew where that is asked for, within the limit of the
-- role, for somebody who delegated it, and not where the policy says no.

create or replace function check_decision() returns trigger language plpgsql as $$
declare
    s      record;
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
    select id, state, action, binding, requirement, waits_since, expires_at, recommendation_id, site, value_minor into s
    from step
    where id = new.step_id
    for update;
    if not found then
        raise exception 'step % is not there', new.step_id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_step';
    end if;
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
    if new.as_role is not null then
        if not exists (
            select from stand_ins(s.requirement) x
            where x.slot = new.slot and x.role = new.as_role and s.waits_since + x.after <= least(new.decided_at, clock_timestamp()))
        then
            raise exception '% may not stand in for % on step % now', new.as_role, new.slot, s.id
                using errcode = 'integrity_constraint_violation', constraint = 'decision_stands_in';
        end if;
    end if;
    if new.on_behalf_of is not null then
        if not exists (
            select from delegation d
            where d.from_id = new.on_behalf_of and d.to_id = new.person_id and d.revoked_at is null and s.action = any (d.kinds)
                and (s.site = any (d.sites) or '*' = any (d.sites)) and d.begins_at <= new.decided_at and d.ends_at > new.decided_at
                and (d.limit_minor is null or d.limit_minor >= s.value_minor))
        then
            raise exception '% may not act for % on step %', new.person_id, new.on_behalf_of, s.id
                using errcode = 'integrity_constraint_violation', constraint = 'decision_delegation';
        end if;
    end if;
    broken := case
        -- The program reads the clock after its lock, and no transaction of it idles for longer.
        when new.decided_at not between clock_timestamp() - interval '1 minute' and clock_timestamp() + interval '1 minute'
        then 'decision_now'
        when new.verdict = 'approve' and s.requirement -> 'deny' <> '[]' then 'decision_denied'
        when new.verdict = 'approve' and s.requirement ->> 'auth' = 'fresh' and new.strength <> 'fresh' then 'decision_fresh'
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
                and g.site in (s.site, '*') and g.revoked_at is null and (g.unlimited or g.limit_minor >= s.value_minor))
        then 'decision_role'
    end;
    if broken is not null then
        raise exception '% decides step %: %', new.person_id, s.id, case broken
                when 'decision_now' then 'at another time than now'
                when 'decision_denied' then 'the policy denies it'
                when 'decision_fresh' then 'it asks for a sign-in of just now'
                when 'decision_active' then 'somebody is not active'
                when 'decision_duties' then 'a party to it cannot approve it'
                else 'who approves does not hold the role for this value'
            end
            using errcode = 'integrity_constraint_violation', constraint = broken;
    end if;
    new.value_minor := s.value_minor;
    return new;
end
$$;

-- Who has decided is written by this trigger alone, in the name of the owner: a row for
-- somebody who has not would keep them from it.
create or replace function note_decision_humans() returns trigger language plpgsql security definer as $$
begin
    insert into public.decision_human (step_id, binding, person_id, decision_id) values (new.step_id, new.binding, new.person_id, new.id);
    if new.on_behalf_of is not null then
        insert into public.decision_human (step_id, binding, person_id, decision_id) values (new.step_id, new.binding, new.on_behalf_of, new.id);
    end if;
    return null;
end
$$;
