-- The three roles and the database of one service. A psql script: run it as a superuser or as a role that
-- may create roles and databases, as often as wanted.
--
--   psql -v service=sla_clock -v database=plazo_sla_clock -f database.sql
--
-- with PLAZO_OWNER_PASSWORD, PLAZO_APP_PASSWORD and PLAZO_SYSTEM_PASSWORD in the environment. The roles:
--   <service>_owner   owns the database and everything in it; migrations run as it
--   <service>         serves requests; row-level security confines it to the desk of its transaction
--   <service>_system  relay, timers and key look-ups; policies of row-level security let it see every desk
-- Which of them may do what to a table is granted by the migrations.
\set ON_ERROR_STOP on
\getenv owner_password PLAZO_OWNER_PASSWORD
\getenv app_password PLAZO_APP_PASSWORD
\getenv system_password PLAZO_SYSTEM_PASSWORD
\set owner :service _owner
\set system :service _system

-- Roles belong to the whole cluster: two runs at once must not both create one.
SELECT pg_advisory_lock(hashtext('plazo.roles')) \g /dev/null

SELECT format('CREATE ROLE %I', wanted.role)
FROM (VALUES (:'owner'), (:'service'), (:'system')) AS wanted (role)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.role) \gexec

ALTER ROLE :"owner" LOGIN PASSWORD :'owner_password';
ALTER ROLE :"service" LOGIN PASSWORD :'app_password';
ALTER ROLE :"system" LOGIN PASSWORD :'system_password';

-- What new roles are not; of old ones only a superuser may say so.
SELECT format('ALTER ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', rolname) FROM pg_roles
WHERE rolname IN (:'owner', :'service', :'system')
  AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls) \gexec

-- Who is no superuser must be a member of the owner to give it a database.
SELECT format('GRANT %I TO %I', :'owner', current_user) FROM pg_roles
WHERE rolname = current_user AND NOT rolsuper \gexec

-- The locale is named so that text sorts and folds the same on every server.
SELECT format(
  'CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING ''UTF8'' LOCALE_PROVIDER builtin BUILTIN_LOCALE ''C.UTF-8''',
  :'database', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"service", :"system";
