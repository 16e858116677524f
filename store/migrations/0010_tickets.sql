-- Exception tickets: what people and systems wrote, the labels it got, and what
-- came of it. The text decides nothing but the label; severity, owner and
-- readers are the program's to set, and words can only ever add.

-- The closed vocabulary. A label that no taxonomy has cannot be given.
create table taxonomy (
    hash       bytea       primary key check (octet_length(hash) = 32),
    name       text        not null check (name <> ''),
    version    int         not null check (version > 0),
    body       jsonb       not null check (jsonb_typeof(body) = 'object'),
    created_at timestamptz not null default now()
);

create table taxonomy_label (
    taxonomy bytea not null references taxonomy,
    id       text  collate "C" not null check (id <> ''),
    primary key (taxonomy, id)
);

create table ticket (
    id               text        collate "C" primary key check (id ~ '^tkt_[a-z2-7]{26}$'),
    n                bigint      generated always as identity unique,
    site             text        collate "C" not null references site,
    body             text        not null check (octet_length(body) between 1 and 32768),
    reporter         text        collate "C" not null default '',
    load             text        collate "C" not null default '',
    order_ref        text        collate "C" not null default '',
    sku              text        collate "C" not null default '',
    location         text        collate "C" not null default '',
    lot              text        collate "C" not null default '',
    supplier         text        collate "C" not null default '',
    facts            text[]      not null,
    value_minor      bigint      not null check (value_minor >= 0),
    currency         text        check (currency ~ '^[A-Z]{3}$'),
    share            float8      not null check (share between 0 and 100),
    floor            smallint    not null check (floor between 1 and 4),
    floor_restricted boolean     not null,
    label_seq        int         not null default 1 check (label_seq > 0),
    status           text        not null default 'open',
    merged_into      text        collate "C",
    resolution       text,
    resolved_at      timestamptz,
    asking           text        not null,
    api_key          text        collate "C" not null,
    idempotency_key  text        collate "C" not null check (idempotency_key <> ''),
    fingerprint      bytea       not null check (octet_length(fingerprint) = 32),
    answer           bytea       not null check (octet_length(answer) > 0),
    received_at      timestamptz not null,
    unique (site, id),
    constraint ticket_idempotency unique (api_key, idempotency_key),
    constraint ticket_status check (status in ('open', 'resolved', 'merged')),
    constraint ticket_merged check (
        (status = 'merged') = (merged_into is not null) and merged_into <> id),
    constraint ticket_resolved check (
        (status = 'resolved') = (resolution is not null) and (resolution is null) = (resolved_at is null) and resolution <> ''),
    constraint ticket_asking check (asking in ('no', 'waiting', 'answered', 'gave_up')),
    constraint ticket_value check (value_minor = 0 or currency is not null),
    foreign key (site, merged_into) references ticket (site, id)
);

comment on column ticket.facts is 'what structured data says; nothing of it comes from the text';
comment on column ticket.floor is 'the least urgent severity that the words of the text allow, 1 to 4';
comment on column ticket.label_seq is 'of the label in force';
comment on column ticket.asking is 'whether a language model is asked';
comment on column ticket.answer is 'the exact bytes that the request was answered with';

create index ticket_site_idx on ticket (site, status, n);
create index ticket_merged_idx on ticket (merged_into) where merged_into is not null;
create index ticket_repeat_idx on ticket (site, supplier, received_at) where supplier <> '';

-- What was asked of a language model, and what came of it. The row is there
-- before anything is sent: sent is exactly what leaves the building of a ticket.
create table ticket_ask (
    id          bigint      generated always as identity primary key,
    ticket_id   text        collate "C" not null references ticket,
    sent        text        not null check (sent <> ''),
    shortlist   text[]      not null check (cardinality(shortlist) between 1 and 10),
    examples    text[]      not null,
    replaced    int         not null check (replaced >= 0),
    asked_at    timestamptz not null default clock_timestamp(),
    settled_at  timestamptz,
    reason      text,
    model       text,
    fingerprint text,
    prompt_hash text,
    path        text,
    evidence    text,
    code_p      float8      check (code_p between 0 and 1),
    score       float8      check (score between 0 and 1),
    label       text        collate "C",
    tokens      bigint      check (tokens >= 0),
    nanos       bigint      check (nanos >= 0),
    constraint ticket_ask_settled check ((settled_at is null) = (reason is null)),
    constraint ticket_ask_answer check (reason <> 'answered' or prompt_hash is not null and score is not null)
);

comment on column ticket_ask.examples is 'tickets whose texts, redacted as this one, were sent along';
comment on column ticket_ask.replaced is 'personal data that became placeholders before anything left';
comment on column ticket_ask.reason is '"answered", or a stable word for what went wrong';
comment on column ticket_ask.label is 'that the model chose; null for none of the shortlist';
comment on column ticket_ask.score is 'before calibration on what people said';

create index ticket_ask_ticket_idx on ticket_ask (ticket_id, id);

create table ticket_label (
    ticket_id    text        collate "C" not null references ticket,
    seq          int         not null check (seq > 0),
    taxonomy     bytea       not null,
    label        text        collate "C" not null,
    path         text        not null,
    confidence   float8      check (confidence between 0 and 1),
    alternatives jsonb       not null check (jsonb_typeof(alternatives) = 'array'),
    stray        float8      check (stray between 0 and 1),
    why          text        not null check (why <> ''),
    secondary    text[]      not null,
    owner        text        collate "C" not null check (owner <> ''),
    copies       text[]      not null,
    severity     smallint    not null check (severity between 1 and 4),
    restricted   boolean     not null,
    immediate    boolean     not null,
    signals      text[]      not null,
    facts        text[]      not null,
    model_id     bigint      references model,
    model_hash   bytea       check (octet_length(model_hash) = 32),
    ask_id       bigint      references ticket_ask,
    person_id    bigint      references person,
    step_id      text        collate "C" not null references step,
    created_at   timestamptz not null default clock_timestamp(),
    primary key (ticket_id, seq),
    foreign key (taxonomy, label) references taxonomy_label,
    constraint ticket_label_path check (path in ('embedded', 'llm', 'human')),
    constraint ticket_label_origin check (
        (path = 'human') = (person_id is not null)
        and (path = 'llm') = (ask_id is not null)
        and (path <> 'embedded' or model_hash is not null))
);

comment on column ticket_label.facts is 'structured facts that held when it was given';
comment on column ticket_label.model_id is 'null for the model that comes with the program';

create index ticket_label_human_idx on ticket_label (person_id, created_at) where path = 'human';

alter table ticket add constraint ticket_labelled
    foreign key (id, label_seq) references ticket_label (ticket_id, seq) deferrable initially deferred;

-- What else happened to a ticket.
create table ticket_event (
    id        bigint      generated always as identity primary key,
    ticket_id text        collate "C" not null references ticket,
    kind      text        not null,
    person_id bigint      references person,
    detail    text        not null default '',
    other_id  text        collate "C" references ticket,
    at        timestamptz not null default clock_timestamp(),
    constraint ticket_event_kind check (kind in ('resolved', 'reopened', 'merged', 'took_in', 'llm_gave_up')),
    constraint ticket_event_person check ((kind = 'llm_gave_up') = (person_id is null)),
    constraint ticket_event_other check ((kind in ('merged', 'took_in')) = (other_id is not null))
);

create index ticket_event_ticket_idx on ticket_event (ticket_id, id);

-- What the text names. Verified is what has a right check digit or is known to
-- the recorded events; the rest is only what somebody wrote.
create table ticket_entity (
    ticket_id text    collate "C" not null references ticket,
    n         int     not null check (n >= 0),
    kind      text    not null,
    value     text    collate "C" not null check (value <> ''),
    unit      text    not null default '',
    verified  boolean not null,
    primary key (ticket_id, n),
    constraint ticket_entity_kind check (kind in ('po', 'asn', 'sku', 'gtin', 'sscc', 'lpn', 'lot', 'quantity')),
    constraint ticket_entity_unit check ((kind = 'quantity') = (unit <> '')),
    constraint ticket_entity_verified check (kind not in ('gtin', 'sscc') or verified)
);

-- Tickets that a ticket looked like when it came, at its own site.
create table ticket_link (
    site       text   collate "C" not null,
    ticket_id  text   collate "C" not null,
    other_id   text   collate "C" not null,
    kind       text   not null,
    similarity float8 not null check (similarity between 0 and 1),
    primary key (ticket_id, other_id),
    foreign key (site, ticket_id) references ticket (site, id),
    foreign key (site, other_id) references ticket (site, id),
    constraint ticket_link_kind check (kind in ('duplicate', 'similar')),
    constraint ticket_link_self check (ticket_id <> other_id)
);

create trigger ticket_label_change before update or delete on ticket_label for each row execute function refuse_change();
create trigger ticket_event_change before update or delete on ticket_event for each row execute function refuse_change();
create trigger ticket_entity_change before update or delete on ticket_entity for each row execute function refuse_change();
create trigger ticket_link_change before update or delete on ticket_link for each row execute function refuse_change();
create trigger taxonomy_change before update or delete on taxonomy for each row execute function refuse_change();
create trigger taxonomy_label_change before update or delete on taxonomy_label for each row execute function refuse_change();

-- A label follows the one before it, is never less urgent than the words of the
-- text allow, and never opens to more readers than they do.
create function check_ticket_label() returns trigger language plpgsql as $$
declare
    t ticket;
begin
    select * into t from ticket where id = new.ticket_id;
    if new.seq <> (select coalesce(max(seq), 0) + 1 from ticket_label where ticket_id = new.ticket_id) then
        raise exception 'ticket % has no room for label %', new.ticket_id, new.seq
            using errcode = 'integrity_constraint_violation', constraint = 'ticket_label_order';
    end if;
    if new.severity > t.floor or t.floor_restricted and not new.restricted then
        raise exception 'ticket % cannot become less urgent or more open than its words', new.ticket_id
            using errcode = 'integrity_constraint_violation', constraint = 'ticket_label_floor';
    end if;
    return new;
end
$$;

create trigger ticket_label_check before insert on ticket_label for each row execute function check_ticket_label();

-- What came in never changes; what became of it follows the rules.
create function check_ticket_change() returns trigger language plpgsql as $$
declare
    into_ ticket;
begin
    if (new.id, new.n, new.site, new.body, new.reporter, new.load, new.order_ref, new.sku, new.location, new.lot, new.supplier,
        new.facts, new.value_minor, new.currency, new.share, new.floor, new.floor_restricted,
        new.api_key, new.idempotency_key, new.fingerprint, new.answer, new.received_at)
        is distinct from
        (old.id, old.n, old.site, old.body, old.reporter, old.load, old.order_ref, old.sku, old.location, old.lot, old.supplier,
        old.facts, old.value_minor, old.currency, old.share, old.floor, old.floor_restricted,
        old.api_key, old.idempotency_key, old.fingerprint, old.answer, old.received_at) then
        raise exception 'what ticket % said cannot change', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'ticket_immutable';
    end if;
    if new.label_seq not in (old.label_seq, old.label_seq + 1) then
        raise exception 'ticket % has label % and cannot get %', old.id, old.label_seq, new.label_seq
            using errcode = 'integrity_constraint_violation', constraint = 'ticket_label_order';
    end if;
    if new.asking <> old.asking and (old.asking <> 'waiting' or new.asking = 'no') then
        raise exception 'ticket %: asking is % and cannot become %', old.id, old.asking, new.asking
            using errcode = 'integrity_constraint_violation', constraint = 'ticket_asking_once';
    end if;
    if new.status <> old.status and old.status <> 'open' and new.status <> 'open'
        or new.status = old.status and new.merged_into is distinct from old.merged_into
    then
        raise exception 'ticket % is % and cannot become %', old.id, old.status, new.status
            using errcode = 'integrity_constraint_violation', constraint = 'ticket_transition';
    end if;
    if new.status = 'merged' and old.status <> 'merged' then
        select * into into_ from ticket where id = new.merged_into for share;
        if into_.status = 'merged' or exists (select from ticket where merged_into = new.id)
            or (select severity from ticket_label where ticket_id = into_.id and seq = into_.label_seq)
                > (select severity from ticket_label where ticket_id = new.id and seq = new.label_seq)
            or (select restricted from ticket_label where ticket_id = new.id and seq = new.label_seq)
                and not (select restricted from ticket_label where ticket_id = into_.id and seq = into_.label_seq)
        then
            raise exception 'ticket % cannot go into %', new.id, new.merged_into
                using errcode = 'integrity_constraint_violation', constraint = 'ticket_merge';
        end if;
    end if;
    return new;
end
$$;

create trigger ticket_change before update on ticket for each row execute function check_ticket_change();
create trigger ticket_delete before delete on ticket for each row execute function refuse_change();

-- What left the building stays written down; only its outcome is added, once.
create function check_ticket_ask() returns trigger language plpgsql as $$
begin
    if old.settled_at is not null
        or (new.id, new.ticket_id, new.sent, new.shortlist, new.examples, new.replaced, new.asked_at)
            is distinct from (old.id, old.ticket_id, old.sent, old.shortlist, old.examples, old.replaced, old.asked_at)
    then
        raise exception 'ask % is settled', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'ticket_ask_once';
    end if;
    return new;
end
$$;

create trigger ticket_ask_change before update on ticket_ask for each row execute function check_ticket_ask();
create trigger ticket_ask_delete before delete on ticket_ask for each row execute function refuse_change();

-- What the events call orders, notices, items and lots, so that a ticket's words
-- can be looked up. It follows the events at a distance of seconds.
create table known_code (
    site text collate "C" not null,
    kind text not null check (kind in ('po', 'asn', 'sku', 'lot')),
    code text collate "C" not null check (code <> ''),
    primary key (site, kind, code)
);

create table known_code_head (
    only_one boolean primary key default true check (only_one),
    seq      bigint  not null check (seq >= 0)
);

insert into known_code_head (seq) values (0);

-- The budget of language models, for each site and day (UTC). What a request may
-- cost at most is added before it is sent, and put right after it was answered:
-- requests side by side cannot overrun a budget together.
create table llm_day (
    site     text   collate "C" not null,
    day      date   not null,
    requests bigint not null default 0 check (requests >= 0),
    tokens   bigint not null default 0 check (tokens >= 0),
    nanos    bigint not null default 0 check (nanos >= 0),
    primary key (site, day)
);

comment on table llm_day is 'site "" is the program''s own, which probes servers';
comment on column llm_day.nanos is 'money, in billionths of the currency unit of the price';

create table llm_request (
    id          bigint      generated always as identity primary key,
    site        text        collate "C" not null,
    day         date        not null,
    most_tokens bigint      not null check (most_tokens >= 0),
    most_nanos  bigint      not null check (most_nanos >= 0),
    tokens      bigint      check (tokens >= 0),
    nanos       bigint      check (nanos >= 0),
    reserved_at timestamptz not null default clock_timestamp(),
    settled_at  timestamptz,
    foreign key (site, day) references llm_day (site, day),
    constraint llm_request_settled check (
        (settled_at is null) = (tokens is null) and (settled_at is null) = (nanos is null))
);

comment on column llm_request.tokens is 'that it did use; null while nobody knows, and most_tokens counts';

create index llm_request_day_idx on llm_request (site, day);

create function check_llm_request() returns trigger language plpgsql as $$
begin
    if old.settled_at is not null or (new.id, new.site, new.day, new.most_tokens, new.most_nanos, new.reserved_at)
        is distinct from (old.id, old.site, old.day, old.most_tokens, old.most_nanos, old.reserved_at) then
        raise exception 'request % is settled', old.id
            using errcode = 'integrity_constraint_violation', constraint = 'llm_request_once';
    end if;
    return new;
end
$$;

create trigger llm_request_change before update on llm_request for each row execute function check_llm_request();
create trigger llm_request_delete before delete on llm_request for each row execute function refuse_change();

-- Rights of keys, and models that label tickets.
alter table api_key
    drop constraint api_key_scopes,
    add constraint api_key_scopes check (
        cardinality(scopes) > 0
        and scopes <@ array['events:write', 'risk:write', 'risk:read', 'queue:read', 'tickets:write', 'tickets:read']);

alter table model
    drop constraint model_target,
    add constraint model_target check ((subject, outcome) in (
        ('position', 'variance'), ('position', 'size'), ('load', 'discrepancy'), ('load', 'late'), ('ticket', 'label')));
