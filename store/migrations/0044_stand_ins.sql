-- Who may stand in for a role, and from when, is part of what a step requires: it is
-- never let in later, nor sooner than it was said.

alter table step add column waits_since timestamptz;
alter table step disable trigger user;
update step set waits_since = created_at;
alter table step enable trigger user;
alter table step alter column waits_since set not null;

comment on column step.waits_since is 'for what it requires now';
comment on column step.requirement is '{"slots": [{"role", "count"}], "stand_ins": [{"for", "role", "after_us"}], "auth", "excludes", "life_us", "deny"}';

alter table decision
    add column as_role text collate "C",
    add constraint decision_as_role check (as_role is null or verdict = 'approve' and as_role <> slot);

comment on column decision.as_role is 'that stood in for the slot''s; null for that itself';

-- Who may stand in by a requirement, and after what time.
create function stand_ins(requirement jsonb)
returns table (slot text, role text, after interval)
language sql immutable parallel safe as $$
    select x ->> 'for', x ->> 'role', make_interval(secs => (x ->> 'after_us')::bigint / 1e6)
    from jsonb_array_elements(coalesce(requirement -> 'stand_ins', '[]')) x
$$;

create or replace function check_step_change() returns trigger language plpgsql as $$
begin
    if not step_may_become(old.state, new.state) then
        raise exception 'step % is % and cannot become %', old.id, old.state, new.state
            using errcode = 'integrity_constraint_violation', constraint = 'step_transition';
    end if;
    if new.version <> old.version + 1 then
        raise exception 'step % has version % and cannot get %', old.id, old.version, new.version
            using errcode = 'integrity_constraint_violation', constraint = 'step_version';
    end if;
    if (new.id, new.recommendation_id, new.action, new.site, new.subject, new.payload_hash, new.evidence_hash, new.plan_hash,
        new.lane, new.stake_minor, new.value_minor, new.currency, new.created_at)
        is distinct from
        (old.id, old.recommendation_id, old.action, old.site, old.subject, old.payload_hash, old.evidence_hash, old.plan_hash,
        old.lane, old.stake_minor, old.value_minor, old.currency, old.created_at) then
        raise exception 'what step % asks for cannot change', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'step_immutable';
    end if;
    if (new.requirement, new.policy, new.expires_at) is distinct from (old.requirement, old.policy, old.expires_at) then
        if old.state not in ('blocked', 'pending') or new.state <> 'pending' or new.binding = old.binding
            or old.state = 'pending' and new.expires_at > old.expires_at
            or new.waits_since < old.waits_since
            or exists (
                select slot ->> 'role' as role, (slot ->> 'count')::int as n
                from jsonb_array_elements(old.requirement -> 'slots') slot
                except
                select o.slot ->> 'role', (o.slot ->> 'count')::int
                from jsonb_array_elements(old.requirement -> 'slots') o (slot)
                join jsonb_array_elements(new.requirement -> 'slots') n (slot)
                    on n.slot ->> 'role' = o.slot ->> 'role' and (n.slot ->> 'count')::int >= (o.slot ->> 'count')::int)
            or exists (
                select from stand_ins(new.requirement) n
                where old.requirement -> 'slots' @> jsonb_build_array(jsonb_build_object('role', n.slot))
                    and not exists (
                        select from stand_ins(old.requirement) o
                        where o.slot = n.slot and o.role = n.role and o.after <= n.after))
            or not new.requirement -> 'excludes' @> (old.requirement -> 'excludes')
            or not new.requirement -> 'deny' @> (old.requirement -> 'deny') and old.state <> 'blocked'
            or old.requirement ->> 'auth' = 'fresh' and new.requirement ->> 'auth' <> 'fresh'
        then
            raise exception 'the requirement of step % cannot become weaker', old.id
                using errcode = 'integrity_constraint_violation', constraint = 'step_no_weaker';
        end if;
    elsif (new.binding, new.waits_since) is distinct from (old.binding, old.waits_since) then
        raise exception 'the binding of step % cannot change by itself', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'step_immutable';
    end if;
    return new;
end
$$;

-- A decision counts for what is asked now, in a role that is asked for or stands in
-- by then, by people who hold it and are no party to it.
create or replace function check_decision() returns trigger language plpgsql as $$
declare
    s step;
begin
    select * into strict s from step where id = new.step_id for update;
    if s.state not in ('pending', 'changes_requested') or new.verdict <> 'reject' and s.state <> 'pending' then
        raise exception 'step % is %', s.id, s.state
            using errcode = 'integrity_constraint_violation', constraint = 'decision_pending';
    end if;
    if new.binding <> s.binding then
        raise exception 'step % asks for something else', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_binding';
    end if;
    if new.decided_at >= s.expires_at then
        raise exception 'step % expired', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_in_time';
    end if;
    if exists (
        select from person
        where id in (new.person_id, new.on_behalf_of) and deactivated_at is not null)
    then
        raise exception 'somebody who decides step % is not active', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_active';
    end if;
    if new.verdict = 'approve' and exists (
        select
        from recommendation r, jsonb_array_elements(r.parties) party
        left join person_ref f on f.ref = party ->> 'ref'
        where r.id = s.recommendation_id
            and (party ->> 'part' = 'proposer' or s.requirement -> 'excludes' ? (party ->> 'part'))
            and coalesce((party ->> 'person')::bigint, f.person_id) in (new.person_id, new.on_behalf_of))
    then
        raise exception 'a party to step % cannot approve it', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_duties';
    end if;
    if new.as_role is not null and not exists (
        select from stand_ins(s.requirement) x
        where x.slot = new.slot and x.role = new.as_role and s.waits_since + x.after <= least(new.decided_at, clock_timestamp()))
    then
        raise exception '% may not stand in for % on step % now', new.as_role, new.slot, s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_stands_in';
    end if;
    if new.verdict = 'approve' and not exists (
        select from role_grant g
        where g.person_id = coalesce(new.on_behalf_of, new.person_id) and g.role = coalesce(new.as_role, new.slot)
            and g.site in (s.site, '*') and g.revoked_at is null)
    then
        raise exception 'who approves step % does not hold the role', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_role';
    end if;
    return new;
end
$$;
