-- Models of tickets are registered by the name of their taxonomy: the program's
-- own is plain "label".
alter table model drop constraint model_target;
alter table model add constraint model_target check (
    (subject, outcome) in (('position', 'variance'), ('position', 'size'), ('load', 'discrepancy'), ('load', 'late'))
    or subject = 'ticket' and outcome ~ '^label(/[a-z0-9._-]+)?$');
