-- A function in plain SQL is planned at every call; one in PL/pgSQL once for each
-- connection. Every change of a step calls these.

create or replace function humans(requirement jsonb) returns bigint
language plpgsql immutable parallel safe as $$
begin
    return (
        select coalesce(sum((slot ->> 'count')::int), 0)
        from jsonb_array_elements(requirement -> 'slots') slot);
end
$$;

create or replace function plan_hash(recommendation text) returns bytea
language plpgsql stable as $$
begin
    return (
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
        where recommendation_id = recommendation);
end
$$;
