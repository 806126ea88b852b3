-- The admin console's table of prompts, as it is in the real database.

create role anon nologin;
create role service_role nologin bypassrls;

create table public.system_prompts (
  id uuid primary key default gen_random_uuid(),
  type text not null default 'system-prompt',
  title text not null,
  description text,
  status text not null default 'draft' check (status in ('active', 'draft', 'archived', 'pending')),
  tags text[] not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  payload jsonb not null default '{}'
);

-- At most one row is active, whatever the console does.
create unique index system_prompts_one_active on public.system_prompts (status) where status = 'active';

-- clock_timestamp() and not now(): two edits in one transaction are two versions.
create function public.set_updated_at() returns trigger language plpgsql as $$
begin
  new.updated_at := clock_timestamp();
  return new;
end $$;

create trigger system_prompts_updated_at before update on public.system_prompts
  for each row execute function public.set_updated_at();

alter table public.system_prompts enable row level security;

grant usage on schema public to anon, service_role;
grant select, insert, update, delete on public.system_prompts to service_role;
