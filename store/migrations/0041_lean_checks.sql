-- The same rules with fewer statements: every change of a step waits for them.

-- Who fills a slot is written down for a decision, which names an existing step and
-- existing people.
alter table decision_human
    drop constraint decision_human_step_id_fkey,
    drop constraint decision_human_person_id_fkey;

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
