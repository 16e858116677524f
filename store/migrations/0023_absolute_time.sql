-- Thirty days are 720 hours, also where a session's clocks are changed in between.

alter table delegation
    drop constraint delegation_time,
    add constraint delegation_time check (ends_at > begins_at and ends_at <= begins_at + interval '720 hours');
