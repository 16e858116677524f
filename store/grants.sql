-- What the program may do. It connects as tallyman_app, which owns nothing.
-- Applied after every migration; it takes everything back first.

revoke all on all tables in schema public from tallyman_app;

-- Triggers look tables up by name, and a temporary one would come first.
do $$
begin
    execute format('revoke temporary on database %I from public, tallyman_app', current_database());
end
$$;
revoke all on all sequences in schema public from tallyman_app;
grant usage on schema public to tallyman_app;
grant usage on all sequences in schema public to tallyman_app;
grant select on all tables in schema public to tallyman_app;

-- People and keys read steps as tallyman_viewer, under row security.
revoke all on all tables in schema public from tallyman_viewer;
grant usage on schema public to tallyman_viewer;
grant select on step, recommendation, operation, decision, decision_human, execution, audit_entry, glass_review to tallyman_viewer;
grant select on role_grant, delegation, person_ref to tallyman_viewer;
grant select (id, name, refs_known, deactivated_at) on person to tallyman_viewer;
grant select (id, scopes, sites, revoked_at, expires_at) on api_key to tallyman_viewer;

-- Events, keys, models and rankings.
grant insert, update on site, event_head to tallyman_app;
grant insert on event, event_key, event_conflict, evaluation to tallyman_app;
grant insert, update on api_key, model to tallyman_app;
grant insert, update, delete on ranking to tallyman_app;
grant insert, delete on recommendation to tallyman_app; -- with what belongs to it, where nobody took it up
grant insert on queue_row, operation to tallyman_app;

-- People.
grant insert, update on person, account, role_grant, delegation to tallyman_app;
grant insert, update, delete on person_ref, session to tallyman_app;

-- Steps. Triggers hold what may change in them.
grant insert, update on policy to tallyman_app;
grant insert, update on step to tallyman_app;
grant insert on step_view to tallyman_app;
grant insert on decision, glass_review to tallyman_app; -- who has decided is written by a trigger

-- Tickets. Their texts, labels and what was sent of them only ever grow.
grant insert on taxonomy, taxonomy_label, ticket_label, ticket_event, ticket_entity, ticket_link to tallyman_app;
grant insert, update on ticket, ticket_ask, llm_day, llm_request to tallyman_app;
grant insert on known_code to tallyman_app;
grant update on known_code_head to tallyman_app;

-- Executions.
grant insert, update on target, execution, kill_switch, freeze_window to tallyman_app;
grant insert, update on target_secret to tallyman_app;
grant insert on execution_attempt to tallyman_app;
grant insert on answered_request to tallyman_app;

-- The audit log only ever grows.
grant insert on audit_entry, audit_leaf to tallyman_app;
grant insert, delete on audit_unsequenced to tallyman_app;
grant insert, update (anchored) on audit_checkpoint to tallyman_app;

-- Jobs are wake-ups, and River's.
do $$
declare
    t regclass;
begin
    for t in select c.oid from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname like 'river\_%' loop
        execute format('grant select, insert, update, delete on %s to tallyman_app', t);
    end loop;
end
$$;
