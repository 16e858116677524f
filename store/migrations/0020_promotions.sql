-- A model comes into force by an approved step. Only the first one of its outcome
-- has nothing to be compared with: an operator puts it in force, and says so.

alter table model
    add column authority text collate "C" check (authority <> '');

comment on column model.authority is 'by which it was last put in force: a step, "operator" for the first of its outcome, "before" where that was not kept';

update model set authority = 'before' where promoted_at is not null;

alter table model
    add constraint model_authority check ((promoted_at is null) = (authority is null));

create function check_model_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.state <> 'candidate' then
            raise exception 'a model begins as a candidate'
                using errcode = 'integrity_constraint_violation', constraint = 'model_promotion';
        end if;
        return new;
    end if;
    if new.state <> 'champion' or old.state = 'champion' then
        return new;
    end if;
    if new.authority = 'operator' and not exists (
        select from model
        where (subject, outcome) = (new.subject, new.outcome) and promoted_at is not null and id <> new.id)
        and old.promoted_at is null
    then
        return new;
    end if;
    if not exists (
        select from step s
        join recommendation r on r.id = s.recommendation_id
        join execution e on e.step_id = s.id
        where s.id = new.authority and s.action = 'promote_model' and s.state = 'executing' and s.subject = array[new.subject, new.outcome]
            and e.state = 'sending' and not e.compensation
            and (convert_from(r.payload, 'UTF8')::jsonb ->> 'model')::bigint = new.id
            and convert_from(r.payload, 'UTF8')::jsonb ->> 'artifact_sha256' = encode(sha256(new.artifact), 'hex'))
    then
        raise exception 'nobody approved that model % comes into force', new.id
            using errcode = 'integrity_constraint_violation', constraint = 'model_promotion';
    end if;
    return new;
end
$$;

create trigger model_change before insert or update on model for each row execute function check_model_change();
