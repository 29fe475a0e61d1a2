#!/bin/sh
# Print the environment compose.yaml asks for, with new random passwords:
#   sh deploy/new-passwords.sh > deploy/.env
set -eu

# A letter first, then hexadecimal: nothing that a URL or a configuration file reads otherwise.
new_password() { printf 'p%s' "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"; }

for name in POSTGRES \
  NATS_OPERATOR NATS_TICKETS NATS_SLA_CLOCK NATS_ESCALATION NATS_BILLING \
  TICKETS_OWNER TICKETS_APP TICKETS_SYSTEM SLA_CLOCK_OWNER SLA_CLOCK_APP SLA_CLOCK_SYSTEM \
  ESCALATION_OWNER ESCALATION_APP ESCALATION_SYSTEM BILLING_OWNER BILLING_APP BILLING_SYSTEM; do
  echo "PLAZO_${name}_PASSWORD=$(new_password)"
done
echo "PLAZO_OPERATOR_KEY=$(new_password)"
echo "PLAZO_SECRETS_KEY=$(date -u +%Y%m%dT%H%M%SZ):$(head -c 32 /dev/urandom | base64 | tr -d '\n')"
