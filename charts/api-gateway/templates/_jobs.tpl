{{- /* Where jobs are kept: true if in SQLite on a volume. */}}
{{- define "api-gateway.hasSqlite" -}}
{{- if and .Values.jobs.enabled (not .Values.jobs.database.existingSecret) }}true{{ end }}
{{- end }}

{{- define "api-gateway.claim" -}}
{{- .Values.jobs.sqlite.existingClaim | default (printf "%s-jobs" (include "api-gateway.fullname" . | trunc 58 | trimSuffix "-")) }}
{{- end }}

{{- /* The store's maximum: four fifths of the volume, since the database needs room for its log and for changes. */}}
{{- define "api-gateway.jobsMaxMib" -}}
{{- $volume := 10240 }}
{{- if include "api-gateway.hasSqlite" . }}
{{- $volume = include "api-gateway.mebibytes" .Values.jobs.sqlite.size | int }}
{{- end }}
{{- .Values.config.jobsMaxMib | default (max 1 (div (mul $volume 8) 10)) | float64 | toJson }}
{{- end }}

{{- define "api-gateway.jobsMaxKeyMib" -}}
{{- .Values.config.jobsMaxKeyMib | default (divf (include "api-gateway.jobsMaxMib" . | float64) 2) | float64 | toJson }}
{{- end }}

{{- define "api-gateway.isWorker" -}}
{{- if .Values.jobs.isWorker }}true{{ end }}
{{- end }}

{{- /* Settings of jobs that follow from other values. */}}
{{- define "api-gateway.jobSettings" -}}
jobsMaxMib: {{ include "api-gateway.jobsMaxMib" . }}
jobsMaxKeyMib: {{ include "api-gateway.jobsMaxKeyMib" . }}
{{- if include "api-gateway.hasSqlite" . }}
jobsDir: /jobs
{{- end }}
{{- if include "api-gateway.isWorker" . }}
jobsRole: worker
{{- else if and .Values.jobs.enabled .Values.jobs.worker.enabled }}
jobsRole: gateway
{{- end }}
{{- end }}

{{- /* Settings that are secret, as a container's `env`. */}}
{{- define "api-gateway.secretEnv" -}}
{{- if .Values.jobs.enabled }}
{{- with .Values.jobs.database }}
{{- if .existingSecret }}
- name: API_GATEWAY_JOBS_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .secretKey }}
{{- end }}
{{- end }}
{{- with .Values.jobs.webhooks }}
{{- if .existingSecret }}
- name: API_GATEWAY_WEBHOOK_SECRETS
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .secretKey }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Egress rules that jobs need, as in a NetworkPolicy. */}}
{{- define "api-gateway.jobEgress" -}}
{{- if and .Values.jobs.enabled .Values.jobs.database.existingSecret }}
- ports:
    - port: {{ .Values.networkPolicy.database.port }}
      protocol: TCP
  {{- with .Values.networkPolicy.database.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- if and .Values.jobs.enabled .Values.jobs.webhooks.existingSecret }}
{{- with .Values.networkPolicy.webhooks }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}

{{- /*
The values of a worker's pods: those of the gateway with other names and the worker's own resources. It has no clients,
so that it needs no keys, the gateways send its webhooks, and at SIGTERM it puts its jobs back into the queue at once.
*/}}
{{- define "api-gateway.workerValues" -}}
{{- $values := deepCopy .Values }}
{{- $own := dict
      "nameOverride" (printf "%s-worker" (include "api-gateway.name" . | trunc 56 | trimSuffix "-"))
      "fullnameOverride" (printf "%s-worker" (include "api-gateway.fullname" . | trunc 56 | trimSuffix "-"))
      "serviceAccount" (dict "create" false "name" (include "api-gateway.serviceAccountName" .))
      "apiKeys" (dict "existingSecret" "" "values" list)
      "resources" (mergeOverwrite (deepCopy (.Values.resources | default dict)) .Values.jobs.worker.resources) }}
{{- range $name, $value := $own }}
{{- $_ := set $values $name $value }}
{{- end }}
{{- $_ := set $values.jobs "isWorker" true }}
{{- $_ := set $values.jobs.webhooks "existingSecret" "" }}
{{- $_ := set $values.shutdown "delaySeconds" 0 }}
{{- $_ := set $values.shutdown "documentGraceSeconds" 0 }}
{{- if .Values.jobs.worker.resources }}
{{- range list "maxHeldMib" "maxPagesHeldMib" "splitterKillMib" }}
{{- $_ := set $values.config . nil }}
{{- end }}
{{- end }}
{{- toYaml $values }}
{{- end }}

{{- /* What only the chart knows of jobs. */}}
{{- define "api-gateway.checkJobs" -}}
{{- $jobs := .Values.jobs }}
{{- if not $jobs.enabled }}
{{- range $name, $set := dict "worker.enabled" $jobs.worker.enabled "database.existingSecret" $jobs.database.existingSecret "webhooks.existingSecret" $jobs.webhooks.existingSecret }}
{{- if $set }}
{{- fail (printf "jobs.%s needs jobs.enabled." $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $jobs.database.existingSecret $jobs.sqlite.existingClaim }}
{{- fail "jobs: give database.existingSecret or sqlite.existingClaim, not both: they are two stores." }}
{{- end }}
{{- if include "api-gateway.hasSqlite" . }}
{{- if gt (int .Values.replicaCount) 1 }}
{{- fail "replicaCount: jobs in SQLite are for one pod. Set jobs.database.existingSecret for more." }}
{{- end }}
{{- if .Values.autoscaling.enabled }}
{{- fail "autoscaling.enabled: jobs in SQLite are for one pod. Set jobs.database.existingSecret for more." }}
{{- end }}
{{- if lt (include "api-gateway.mebibytes" $jobs.sqlite.size | float64) (include "api-gateway.jobsMaxMib" . | float64) }}
{{- fail (printf "jobs.sqlite.size: %s is less than config.jobsMaxMib, %s MiB." $jobs.sqlite.size (include "api-gateway.jobsMaxMib" .)) }}
{{- end }}
{{- end }}
{{- with $jobs.worker.keda }}
{{- if and .enabled (not $jobs.worker.enabled) }}
{{- fail "jobs.worker.keda.enabled needs jobs.worker.enabled: KEDA scales the workers' Deployment." }}
{{- end }}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) }}
{{- fail "jobs.worker.keda.minReplicas is above jobs.worker.keda.maxReplicas." }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What the service would refuse of jobs at its start, in the words of api_gateway/jobs/settings.py. */}}
{{- define "api-gateway.jobFaults" -}}
{{- $config := .Values.config }}
{{- if and .Values.jobs.worker.enabled (include "api-gateway.hasSqlite" .) }}
jobs.worker.enabled, jobs.database.existingSecret: JOBS_ROLE=gateway needs JOBS_DATABASE_URL: JOBS_DIR is for one process
{{- end }}
{{- if gt ($config.jobsTtlSeconds | default 86400 | float64) ($config.jobsMaxTtlSeconds | default 604800 | float64) }}
config.jobsTtlSeconds, config.jobsMaxTtlSeconds: JOBS_TTL_SECONDS must not be above JOBS_MAX_TTL_SECONDS
{{- end }}
{{- if gt (include "api-gateway.jobsMaxKeyMib" . | float64) (include "api-gateway.jobsMaxMib" . | float64) }}
config.jobsMaxKeyMib, config.jobsMaxMib: JOBS_MAX_KEY_MIB must not be above JOBS_MAX_MIB
{{- end }}
{{- range $config.webhookAllow | default list }}
{{- if not (or (regexMatch "^(\\*\\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$" .) (regexMatch "^([0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(/[0-9]+)?$" .)) }}
config.webhookAllow: WEBHOOK_ALLOW: {{ . }} is neither a host nor a network
{{- end }}
{{- end }}
{{- range $config.jobsUrlAllow | default list }}
{{- if not (or (regexMatch "^(\\*\\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$" .) (regexMatch "^([0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(/[0-9]+)?$" .)) }}
config.jobsUrlAllow: JOBS_URL_ALLOW: {{ . }} is neither a host nor a network
{{- end }}
{{- end }}
{{- end }}

{{- /* What the pods may call, as in a NetworkPolicy. */}}
{{- define "api-gateway.egress" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
- to:
    - podSelector:
        matchLabels:
          {{- toYaml .Values.networkPolicy.modelServer | nindent 10 }}
  ports:
    - port: http
      protocol: TCP
{{- with include "api-gateway.jobEgress" . | trim }}
{{ . }}
{{- end }}
{{- with include "api-gateway.traceEgress" . | trim }}
{{ . }}
{{- end }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}
