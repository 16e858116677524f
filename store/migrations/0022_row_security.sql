-- What people and keys read of steps, they read as a role to which the rows of other
-- sites are not there, whatever a statement forgets to ask for.

-- Who reads, as the transaction says; nobody when it does not.
create function viewer_sites() returns text[]
language sql stable parallel safe as $$
    select coalesce(array_agg(site), '{}')
    from (
        select g.site
        from role_grant g
        join person p on p.id = g.person_id
        where g.person_id = nullif(current_setting('tallyman.person', true), '')::bigint
            and g.revoked_at is null and p.deactivated_at is null
        union
        select unnest(case when k.sites = '{}' then array['*'] else k.sites end)
        from api_key k
        where k.id = nullif(current_setting('tallyman.key', true), '')
            and 'steps:read' = any (k.scopes) and k.revoked_at is null and k.expires_at > now()
    ) seen
$$;

-- One scope more than there were.
do $$
declare
    scopes text;
begin
    select string_agg(quote_literal(m[1]), ', ') into scopes
    from pg_constraint, regexp_matches(pg_get_constraintdef(oid), '''([a-z]+:[a-z]+)''', 'g') m
    where conname = 'api_key_scopes';
    alter table api_key drop constraint api_key_scopes;
    execute format(
        'alter table api_key add constraint api_key_scopes check (cardinality(scopes) > 0 and scopes <@ array[%s, ''steps:read''])', scopes);
end
$$;

alter table step enable row level security;
alter table recommendation enable row level security;
alter table operation enable row level security;
alter table decision enable row level security;
alter table decision_human enable row level security;
alter table execution enable row level security;
alter table audit_entry enable row level security;

-- The program itself: it ranks, sends and keeps the log for every site.
create policy program on step to tallyman_app using (true) with check (true);
create policy program on recommendation to tallyman_app using (true) with check (true);
create policy program on operation to tallyman_app using (true) with check (true);
create policy program on decision to tallyman_app using (true) with check (true);
create policy program on decision_human to tallyman_app using (true) with check (true);
create policy program on execution to tallyman_app using (true) with check (true);
create policy program on audit_entry to tallyman_app using (true) with check (true);

create policy site on step for select to tallyman_viewer
    using (site = any ((select viewer_sites())::text[]) or '*' = any ((select viewer_sites())::text[]));
create policy site on recommendation for select to tallyman_viewer
    using (site = any ((select viewer_sites())::text[]) or '*' = any ((select viewer_sites())::text[]));
create policy site on operation for select to tallyman_viewer
    using (exists (select from recommendation r where r.id = recommendation_id));
create policy site on decision for select to tallyman_viewer
    using (exists (select from step s where s.id = step_id));
create policy site on decision_human for select to tallyman_viewer
    using (exists (select from step s where s.id = step_id));
create policy site on execution for select to tallyman_viewer
    using (exists (select from step s where s.id = step_id));
create policy site on audit_entry for select to tallyman_viewer
    using (exists (select from step s where s.id = split_part(stream, '/', 1)));
