{{- define "api-gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The release's name where it contains the chart's, or else both. */}}
{{- define "api-gateway.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "api-gateway.selector" -}}
app.kubernetes.io/name: {{ include "api-gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "api-gateway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "api-gateway.podLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* Without versions: Prometheus copies the pods' labels, and a new label is a new series. */}}
{{- define "api-gateway.podLabels" -}}
{{ include "api-gateway.selector" . }}
app.kubernetes.io/component: api-gateway
app.kubernetes.io/part-of: ocr-service
{{- end }}

{{- define "api-gateway.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "api-gateway.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "api-gateway.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Whether there is always more than one pod, with or without the autoscaler. */}}
{{- define "api-gateway.several" -}}
{{- $fewest := .Values.autoscaling.enabled | ternary .Values.autoscaling.minReplicas .Values.replicaCount }}
{{- if gt (int $fewest) 1 }}true{{ end }}
{{- end }}

{{- /* Requests in flight may use their whole time budget after the listener is closed, and 5 s for the answer. */}}
{{- define "api-gateway.graceSeconds" -}}
{{- .Values.shutdown.graceSeconds | default (add (ceil (.Values.config.requestTimeoutSeconds | float64) | int) 5) | int }}
{{- end }}

{{- /* The delay, the longer grace (of pictures or of documents), and 5 s for the child processes to end. */}}
{{- define "api-gateway.terminationGracePeriodSeconds" -}}
{{- add .Values.shutdown.delaySeconds (max (include "api-gateway.graceSeconds" . | int) (int .Values.shutdown.documentGraceSeconds)) 5 }}
{{- end }}

{{- /* A memory quantity in whole MiB. */}}
{{- define "api-gateway.mebibytes" -}}
{{- $quantity := toString . }}
{{- $unit := regexFind "[A-Za-z]*$" $quantity }}
{{- $bytes := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- divf (mulf (trimSuffix $unit $quantity | float64) (get $bytes $unit)) 1048576 | floor | int }}
{{- end }}

{{- /* The container's memory limit in whole MiB; empty: none. */}}
{{- define "api-gateway.memoryMib" -}}
{{- with (include "api-gateway.limits" . | fromYaml).memory }}{{ include "api-gateway.mebibytes" . }}{{ end }}
{{- end }}

{{- define "api-gateway.limits" -}}
{{- dig "limits" dict (.Values.resources | default dict) | default dict | toYaml }}
{{- end }}

{{- /* Disk space for documents: the spool without 64 MiB, since files take whole blocks. */}}
{{- define "api-gateway.maxDiskMib" -}}
{{- .Values.config.maxDiskMib | default (sub (include "api-gateway.mebibytes" .Values.spool.sizeLimit | int) 64) | int }}
{{- end }}

{{- /*
Shares of the memory limit, in eighths, as `memory_shares` in api_gateway/settings.py has them. Of the others, one is the
program's, with /tmp, and all child processes together have four: splitterKillMib is the limit of one of them.
*/}}
{{- define "api-gateway.memoryShares" -}}
{{- $memory := include "api-gateway.memoryMib" . }}
{{- range $name, $eighths := dict "maxHeldMib" 2 "maxPagesHeldMib" 1 "splitterKillMib" 3 }}
{{- with get $.Values.config $name }}
{{ $name }}: {{ . | int }}
{{- else }}
{{- if $memory }}
{{ $name }}: {{ div (mul (int $memory) $eighths) 8 }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The settings, as the service's environment variables. */}}
{{- define "api-gateway.settings" -}}
{{- $derived := dict
      "host" "0.0.0.0"
      "port" 8001
      "spoolDir" "/spool"
      "shutdownDelaySeconds" .Values.shutdown.delaySeconds
      "shutdownGraceSeconds" (include "api-gateway.graceSeconds" . | int)
      "documentGraceSeconds" .Values.shutdown.documentGraceSeconds
      "maxDiskMib" (include "api-gateway.maxDiskMib" . | int) }}
{{- with include "api-gateway.memoryMib" . }}
{{- $_ := set $derived "memoryMib" (int .) }}
{{- end }}
{{- range $name, $mib := include "api-gateway.memoryShares" . | fromYaml }}
{{- $_ := set $derived $name (int $mib) }}
{{- end }}
{{- if include "api-gateway.keysSecret" . }}
{{- $_ := set $derived "apiKeysFile" (printf "/run/secrets/api-gateway/%s" .Values.apiKeys.secretKey) }}
{{- end }}
{{- range $key, $value := merge $derived .Values.config }}
{{- if kindIs "string" $value }}
API_GATEWAY_{{ snakecase $key | upper }}: {{ $value | quote }}
{{- else if not (kindIs "invalid" $value) }}
API_GATEWAY_{{ snakecase $key | upper }}: {{ toJson $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The Secret with the API keys; empty: no key is needed. */}}
{{- define "api-gateway.keysSecret" -}}
{{- if .Values.apiKeys.existingSecret }}
{{- .Values.apiKeys.existingSecret }}
{{- else if .Values.apiKeys.values }}
{{- printf "%s-keys" (include "api-gateway.fullname" . | trunc 58 | trimSuffix "-") }}
{{- end }}
{{- end }}

{{- define "api-gateway.check" -}}
{{- if eq .Values.image.tag "latest" }}
{{- fail "image.tag: latest says not which image runs, and a node keeps an old one. Name a version." }}
{{- end }}
{{- range $key, $_ := .Values.service.annotations }}
{{- if hasPrefix "prometheus.io/" $key }}
{{- fail (printf "service.annotations: %s belongs on the pods (metrics.annotations); on the Service as well, it doubles every count." $key) }}
{{- end }}
{{- end }}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas." }}
{{- end }}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") }}
{{- fail "service.nodePort needs service.type NodePort or LoadBalancer." }}
{{- end }}
{{- if and .Values.apiKeys.existingSecret .Values.apiKeys.values }}
{{- fail "apiKeys: give existingSecret or values, not both." }}
{{- end }}
{{- include "api-gateway.checkDisk" . }}
{{- with include "api-gateway.memoryMib" . }}
{{- include "api-gateway.checkMemory" (dict "root" $ "memory" (int .)) }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}
{{- fail "ingress.hosts: name at least one host." }}
{{- end }}
{{- end }}

{{- define "api-gateway.checkDisk" -}}
{{- $spool := include "api-gateway.mebibytes" .Values.spool.sizeLimit | int }}
{{- $disk := include "api-gateway.maxDiskMib" . | int }}
{{- $largest := .Values.config.maxDocumentMib | default 100 | float64 }}
{{- if gt $disk $spool }}
{{- fail (printf "spool.sizeLimit: %s is less than config.maxDiskMib, %d MiB." .Values.spool.sizeLimit $disk) }}
{{- end }}
{{- if lt (float64 $disk) $largest }}
{{- fail (printf "spool.sizeLimit: %d MiB for documents are less than the largest one, config.maxDocumentMib of %v MiB." $disk $largest) }}
{{- end }}
{{- with get (include "api-gateway.limits" . | fromYaml) "ephemeral-storage" }}
{{- if lt (include "api-gateway.mebibytes" . | int) (add $spool 64 | int) }}
{{- fail (printf "resources.limits.ephemeral-storage: %v is less than spool.sizeLimit (%s) and 64 MiB for logs: the kubelet would evict the pod." . $.Values.spool.sizeLimit) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What the service would refuse at its start. Values that are given outright are checked there alone. */}}
{{- define "api-gateway.checkMemory" -}}
{{- $memory := .memory }}
{{- $program := div $memory 8 }}
{{- $config := .root.Values.config }}
{{- $shares := include "api-gateway.memoryShares" .root | fromYaml }}
{{- $tmp := include "api-gateway.mebibytes" .root.Values.tmp.sizeLimit | int }}
{{- if lt (int $program) (add 48 $tmp | int) }}
{{- fail (printf "resources.limits.memory: %d MiB is too little. An eighth is for the program, which needs 48 MiB and tmp.sizeLimit: %d MiB." $memory (add 48 $tmp)) }}
{{- end }}
{{- if gt (add $program (int $shares.maxHeldMib) (int $shares.maxPagesHeldMib) (div $memory 2) | int) $memory }}
{{- fail (printf "resources.limits.memory: %d MiB is less than the sum of config.maxHeldMib (%v), config.maxPagesHeldMib (%v), half of it for child processes and an eighth for the program." $memory $shares.maxHeldMib $shares.maxPagesHeldMib) }}
{{- end }}
{{- if gt (int $shares.splitterKillMib) (div $memory 2 | int) }}
{{- fail (printf "config.splitterKillMib: %v MiB is more than half of resources.limits.memory, which is for all child processes together." $shares.splitterKillMib) }}
{{- end }}
{{- $picture := mulf (addf ($config.maxUploadMib | default 20) 0.0625) 2.5 | ceil | int }}
{{- if and (not $config.maxHeldMib) (lt (int $shares.maxHeldMib) $picture) }}
{{- fail (printf "resources.limits.memory: a quarter of %d MiB is for uploads, and a picture of config.maxUploadMib takes %d MiB." $memory $picture) }}
{{- end }}
{{- end }}
