-- The plan of a step is whole when the step begins. An operation that is added to the
-- plan of an approved step has its execution refused, as one of a step that is not
-- approved has.

create function check_operation_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        raise exception 'operation never changes'
            using errcode = 'integrity_constraint_violation', constraint = 'operation_immutable';
    end if;
    if exists (select from step where recommendation_id = new.recommendation_id) then
        raise exception 'recommendation % has its step, and with it its plan', new.recommendation_id
            using errcode = 'integrity_constraint_violation', constraint = 'operation_of_step';
    end if;
    return new;
end
$$;

drop trigger operation_change on operation;
create trigger operation_change before insert or update on operation for each row execute function check_operation_change();

create or replace function check_approved_step() returns trigger language plpgsql as $$
begin
    if (select count(*) from execution where step_id = new.id and not compensation)
        is distinct from (select nullif(count(*), 0) from operation where recommendation_id = new.recommendation_id)
    then
        raise exception 'step % is approved and not all of its operations are queued', new.id
            using errcode = 'integrity_constraint_violation', constraint = 'step_executions';
    end if;
    return null;
end
$$;

create or replace function check_quorum() returns trigger language plpgsql as $$
declare
    s      record;
    broken text;
begin
    select id, approved_at, break_glass, binding, plan_hash, requirement, recommendation_id into s
    from step
    where id = new.step_id;
    if s.approved_at is null then
        raise exception 'step % is not there, or not approved: nothing may be sent for it', new.step_id
            using errcode = 'integrity_constraint_violation', constraint = 'execution_approved';
    end if;
    if s.break_glass then
        if not exists (
            select from decision d
            where d.step_id = s.id and d.binding = s.binding and d.verdict = 'approve' and d.incident is not null)
        then
            raise exception 'nobody broke the glass for step %', s.id
                using errcode = 'integrity_constraint_violation', constraint = 'execution_quorum';
        end if;
    end if;
    broken := case
        when not s.break_glass and (
            select coalesce(sum((needed ->> 'count')::int), 0) < 1 or bool_or((needed ->> 'count')::int > (
                select count(*)
                from decision_human h
                join decision d on d.id = h.decision_id and d.person_id = h.person_id and d.step_id = h.step_id and d.binding = h.binding
                where h.step_id = s.id and h.binding = s.binding and d.verdict = 'approve' and d.slot = needed ->> 'role'))
            from jsonb_array_elements(s.requirement -> 'slots') needed)
        then 'execution_quorum'
        when s.plan_hash is distinct from plan_hash(s.recommendation_id) then 'step_plan'
        when not exists (
            select from operation o
            where o.recommendation_id = s.recommendation_id and o.n = new.operation
                and o.target = new.target
                and new.body = case when new.compensation then o.compensate else o.body end)
        then 'execution_body'
    end;
    if broken is not null then
        raise exception 'operation % of step % was not approved%', new.operation, s.id,
                case broken when 'execution_quorum' then ' by enough people' when 'step_plan' then ': its plan is another one' else ' like that' end
            using errcode = 'integrity_constraint_violation', constraint = broken;
    end if;
    return null;
end
$$;

-- A policy comes into force by an approved step, at the instant that was approved or
-- later. Only the one that comes with the program is there from the start.
create function check_policy_change() returns trigger language plpgsql as $$
declare
    broken text;
begin
    if tg_op = 'INSERT' then
        broken := case when new.state <> 'draft' and exists (select from policy) then 'policy_step' end;
    else
        broken := case
            when (new.version, new.name, new.source, new.author_id) is distinct from (old.version, old.name, old.source, old.author_id)
            then 'policy_immutable'
            when new.state <> old.state and old.state || ' ' || new.state not in (
                'draft scheduled', 'retired scheduled', 'scheduled active', 'scheduled retired', 'active retired')
            then 'policy_step'
            when new.effective_from is distinct from old.effective_from and not (old.state <> 'scheduled' and new.state = 'scheduled')
            then 'policy_immutable'
            when new.state = 'active' and new.effective_from > clock_timestamp() then 'policy_step'
            when old.state <> 'scheduled' and new.state = 'scheduled' and not exists (
                select from step s
                join execution e on e.step_id = s.id
                cross join lateral (select convert_from(e.body, 'UTF8')::jsonb as action) approved
                where s.action = 'change_policy' and s.state = 'executing' and e.state = 'sending' and not e.compensation
                    and approved.action ->> 'version_sha256' = new.version
                    and (approved.action ->> 'effective_from')::timestamptz <= new.effective_from)
            then 'policy_step'
        end;
    end if;
    if broken is not null then
        raise exception 'policy % is %: nobody approved that it becomes %', left(new.version, 8), case tg_op when 'UPDATE' then old.state else 'new' end, new.state
            using errcode = 'integrity_constraint_violation', constraint = broken;
    end if;
    return new;
end
$$;

create trigger policy_change before insert or update on policy for each row execute function check_policy_change();
