-- Two others look at every break of the glass: not whoever broke it, nor anybody who
-- could not have approved the step.

create function check_glass_review() returns trigger language plpgsql as $$
declare
    s step;
begin
    select * into strict s from step where id = new.step_id;
    if not s.break_glass then
        raise exception 'nobody broke the glass for step %', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'glass_review_broken';
    end if;
    if exists (
        select from decision d
        where d.step_id = s.id and d.verdict = 'approve' and new.person_id in (d.person_id, d.on_behalf_of))
        or exists (
            select
            from recommendation r, jsonb_array_elements(r.parties) party
            left join person_ref f on f.ref = party ->> 'ref'
            where r.id = s.recommendation_id and coalesce((party ->> 'person')::bigint, f.person_id) = new.person_id)
    then
        raise exception 'whoever had a part in step % does not review it', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'glass_review_duties';
    end if;
    if exists (select from person where id = new.person_id and deactivated_at is not null) then
        raise exception 'who reviews step % is not active', s.id
            using errcode = 'integrity_constraint_violation', constraint = 'glass_review_active';
    end if;
    return new;
end
$$;

create trigger glass_review_check before insert on glass_review for each row execute function check_glass_review();

alter table glass_review enable row level security;
create policy program on glass_review to tallyman_app using (true) with check (true);
create policy site on glass_review for select to tallyman_viewer
    using (exists (select from step s where s.id = step_id));

create index step_glass_idx on step (site, approved_at) where break_glass;
