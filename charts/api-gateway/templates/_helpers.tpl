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

{{- /* More than one pod, now or when the autoscaler likes. */}}
{{- define "api-gateway.several" -}}
{{- $fewest := .Values.autoscaling.enabled | ternary .Values.autoscaling.minReplicas .Values.replicaCount }}
{{- if gt (int $fewest) 1 }}true{{ end }}
{{- end }}

{{- /* Requests in flight may take their whole budget after the door is closed, and a little to be written out. */}}
{{- define "api-gateway.graceSeconds" -}}
{{- .Values.shutdown.graceSeconds | default (add (ceil (.Values.config.requestTimeoutSeconds | float64) | int) 5) | int }}
{{- end }}

{{- /* The delay with the door open, the requests in flight, and 5 s for the workers to go. */}}
{{- define "api-gateway.terminationGracePeriodSeconds" -}}
{{- add .Values.shutdown.delaySeconds (include "api-gateway.graceSeconds" . | int) 5 }}
{{- end }}

{{- /* A memory quantity in MiB. */}}
{{- define "api-gateway.mebibytes" -}}
{{- $quantity := toString . }}
{{- if hasSuffix "Gi" $quantity }}{{ mulf (trimSuffix "Gi" $quantity | float64) 1024 | int }}
{{- else if hasSuffix "Mi" $quantity }}{{ trimSuffix "Mi" $quantity | float64 | int }}
{{- else if hasSuffix "G" $quantity }}{{ mulf (trimSuffix "G" $quantity | float64) 953.674 | int }}
{{- else if hasSuffix "M" $quantity }}{{ mulf (trimSuffix "M" $quantity | float64) 0.953674 | int }}
{{- else }}{{ divf ($quantity | float64) 1048576 | int }}
{{- end }}
{{- end }}

{{- /* Shares of the memory limit, in eighths; the rest is for the program, and for what is on its way out. */}}
{{- define "api-gateway.memoryShares" -}}
{{- $limits := dig "limits" dict (.Values.resources | default dict) | default dict }}
{{- range $name, $eighths := dict "maxHeldMib" 2 "maxPagesHeldMib" 1 "splitterKillMib" 3 }}
{{- with get $.Values.config $name }}
{{ $name }}: {{ . | int }}
{{- else }}
{{- if $limits.memory }}
{{ $name }}: {{ div (mul (include "api-gateway.mebibytes" $limits.memory | int) $eighths) 8 }}
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
      "shutdownGraceSeconds" (include "api-gateway.graceSeconds" . | int) }}
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

{{- /* The Secret with the API keys; empty: everybody may ask. */}}
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
{{- $documents := mul (.Values.config.maxDocuments | default 4) (.Values.config.maxDocumentMib | default 100 | int) }}
{{- if gt $documents (include "api-gateway.mebibytes" .Values.spool.sizeLimit | int) }}
{{- fail "spool.sizeLimit is too small for config.maxDocuments of config.maxDocumentMib." }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}
{{- fail "ingress.hosts: name at least one host." }}
{{- end }}
{{- end }}
