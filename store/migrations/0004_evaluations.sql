-- Risk evaluations, one row each: a load of forty lines is one insert. The
-- arrays have an entry per line, and vectors and probabilities its numbers line
-- after line.
create table evaluation (
    id              text        collate "C" primary key check (id ~ '^rev_[0-9a-z]{26}$'),
    api_key         text        collate "C" not null check (api_key <> ''),
    idempotency_key text        collate "C" check (octet_length(idempotency_key) between 1 and 255),
    fingerprint     bytea       not null check (octet_length(fingerprint) = 32),
    answer          bytea       not null check (octet_length(answer) > 0),
    site            text        collate "C" not null check (site <> ''),
    subject         text        not null check (subject in ('position', 'load')),
    load            text        collate "C" check (load <> ''),
    as_of           timestamptz not null,
    watermark       bigint      not null check (watermark >= 0),
    model_ids       bigint[]    not null check (array_position(model_ids, null) is null),
    schema_hash     text        not null check (schema_hash <> ''),
    outcomes        text[]      not null check (outcomes <@ array['variance', 'size', 'discrepancy', 'late']),
    degraded        boolean     not null,
    missing         text[]      not null,
    lines           text[]      collate "C" not null,
    skus            text[]      collate "C" not null,
    locations       text[]      collate "C" not null,
    vectors         bytea       not null,
    probabilities   float8[]    not null,
    created_at      timestamptz not null default now(),
    unique (api_key, idempotency_key),
    constraint evaluation_lines check (
        cardinality(lines) > 0
        and cardinality(skus) = cardinality(lines)
        and cardinality(locations) = cardinality(lines)
        and octet_length(vectors) % (4 * cardinality(lines)) = 0
        and cardinality(probabilities) = cardinality(lines) * cardinality(outcomes)),
    constraint evaluation_probabilities check (
        0 <= all (probabilities) and 1 >= all (probabilities))
);

comment on column evaluation.answer is 'the exact bytes that were answered';
comment on column evaluation.fingerprint is 'SHA-256 of the request that the idempotency key stands for';
comment on column evaluation.vectors is 'float32, little endian';

-- Numbers compress badly and the answer is read rarely: spare the attempt.
alter table evaluation alter column vectors set storage external;
