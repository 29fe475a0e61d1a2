#!/bin/sh
# Make the roles and the database of each service. The postgres image runs this once, on an empty data folder; run it
# again by hand to change passwords. Each PLAZO_<SERVICE>_{OWNER,APP,SYSTEM}_PASSWORD is in the environment.
set -eu

for service in tickets sla_clock escalation billing; do
  name=$(echo "$service" | tr '[:lower:]' '[:upper:]')
  PLAZO_OWNER_PASSWORD=$(printenv "PLAZO_${name}_OWNER_PASSWORD")
  PLAZO_APP_PASSWORD=$(printenv "PLAZO_${name}_APP_PASSWORD")
  PLAZO_SYSTEM_PASSWORD=$(printenv "PLAZO_${name}_SYSTEM_PASSWORD")
  export PLAZO_OWNER_PASSWORD PLAZO_APP_PASSWORD PLAZO_SYSTEM_PASSWORD
  psql --no-psqlrc --quiet --username "${POSTGRES_USER:-postgres}" --dbname postgres \
    -v service="$service" -v database="plazo_$service" --file "${PLAZO_DATABASE_SQL:-/etc/plazo/database.sql}"
done
