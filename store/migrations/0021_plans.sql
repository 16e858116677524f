-- A plan has an operation for each target, and each one says what undoes it or why
-- nothing does. What was planned before says neither.

alter table operation
    add column irreversible text check (irreversible <> ''),
    add constraint operation_inverse check ((compensate is null) <> (irreversible is null)) not valid;

comment on column operation.compensate is 'what undoes it when a later operation fails for good';
comment on column operation.irreversible is 'why nothing undoes it';

-- The hash of a plan, as approvers were bound to it.
create function plan_hash(recommendation text) returns bytea
language sql stable as $$
    select sha256(
        convert_to(case when bool_and(compensate is null and irreversible is null) then 'tallyman/plan/v1' else 'tallyman/plan/v2' end, 'UTF8')
        || '\x00'::bytea
        || string_agg(
            int8send(octet_length(target)) || convert_to(target, 'UTF8')
            || int8send(octet_length(body)) || body
            || int8send(coalesce(octet_length(compensate), 0)) || coalesce(compensate, ''::bytea)
            || case when compensate is null and irreversible is null then ''::bytea
                else int8send(coalesce(octet_length(irreversible), 0)) || convert_to(coalesce(irreversible, ''), 'UTF8') end,
            ''::bytea order by n))
    from operation
    where recommendation_id = recommendation
$$;

create or replace function check_approved_step() returns trigger language plpgsql as $$
begin
    if (select count(*) from execution where step_id = new.id and not compensation)
        <> (select count(*) from operation where recommendation_id = new.recommendation_id)
    then
        raise exception 'step % is approved and not all of its operations are queued', new.id
            using errcode = 'integrity_constraint_violation', constraint = 'step_executions';
    end if;
    if new.plan_hash is distinct from plan_hash(new.recommendation_id) then
        raise exception 'the operations of step % are not those that were approved', new.id
            using errcode = 'integrity_constraint_violation', constraint = 'step_plan';
    end if;
    return null;
end
$$;
