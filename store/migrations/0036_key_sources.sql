-- Ids of events are unique within their source. A key that is limited to some
-- sources cannot take the ids of another's events.
alter table api_key
    add sources text[] collate "C" not null default '{}',
    add constraint api_key_sources check (array_position(sources, null) is null and array_position(sources, '') is null);

comment on column api_key.sources is 'empty for every source';
