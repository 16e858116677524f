-- The same rules with fewer statements: every decision waits for them.

-- Who fills a slot is written down for a decision, which names an existing step and
-- existing people.
alter table decision_human
    drop constraint decision_human_step_id_fkey,
    drop constraint decision_human_person_id_fkey;

create or replace function check_decision() returns trigger language plpgsql as $$
declare
    s          record;
    left_since boolean;
    is_party   boolean;
begin
    select state, binding, expires_at, recommendation_id, requirement into strict s
    from step
    where id = new.step_id
    for update;
    if s.state not in ('pending', 'changes_requested') or new.verdict <> 'reject' and s.state <> 'pending' then
        raise exception 'step % is %', new.step_id, s.state
            using errcode = 'integrity_constraint_violation', constraint = 'decision_pending';
    end if;
    if new.binding <> s.binding then
        raise exception 'step % asks for something else', new.step_id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_binding';
    end if;
    if new.decided_at >= s.expires_at then
        raise exception 'step % expired', new.step_id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_in_time';
    end if;
    select
        exists (
            select from person
            where id in (new.person_id, new.on_behalf_of) and deactivated_at is not null),
        new.verdict = 'approve' and exists (
            select
            from recommendation r, jsonb_array_elements(r.parties) party
            left join person_ref f on f.ref = party ->> 'ref'
            where r.id = s.recommendation_id
                and (party ->> 'part' = 'proposer' or s.requirement -> 'excludes' ? (party ->> 'part'))
                and coalesce((party ->> 'person')::bigint, f.person_id) in (new.person_id, new.on_behalf_of))
    into left_since, is_party;
    if left_since then
        raise exception 'somebody who decides step % is not active', new.step_id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_active';
    end if;
    if is_party then
        raise exception 'a party to step % cannot approve it', new.step_id
            using errcode = 'integrity_constraint_violation', constraint = 'decision_duties';
    end if;
    return new;
end
$$;

create or replace function check_step_audited() returns trigger language plpgsql as $$
begin
    if new.audited = 1 + (case tg_op when 'UPDATE' then old.audited else 0 end) then
        if exists (select from audit_entry where stream = new.id and seq = new.audited) then
            return null;
        end if;
    elsif new.audited = 0 and new.touched_at is null and new.state in ('pending', 'blocked', 'superseded') then
        if exists (select from recommendation where id = new.recommendation_id and ranking_id is not null) then
            return null;
        end if;
    end if;
    raise exception 'version % of step % has no audit entry', new.version, new.id
        using errcode = 'integrity_constraint_violation', constraint = 'step_audited';
end
$$;
