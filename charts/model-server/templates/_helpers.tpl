{{- define "model-server.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The release's name where it contains the chart's, or else both. */}}
{{- define "model-server.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "model-server.selector" -}}
app.kubernetes.io/name: {{ include "model-server.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "model-server.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "model-server.podLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* Without versions: Prometheus copies the pods' labels, and a new label is a new series. */}}
{{- define "model-server.podLabels" -}}
{{ include "model-server.selector" . }}
app.kubernetes.io/component: model-server
app.kubernetes.io/part-of: ocr-service
{{- end }}

{{- define "model-server.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "model-server.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "model-server.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* More than one pod, now or when the autoscaler likes. */}}
{{- define "model-server.several" -}}
{{- $fewest := .Values.autoscaling.enabled | ternary .Values.autoscaling.minReplicas .Values.replicaCount }}
{{- if gt (int $fewest) 1 }}true{{ end }}
{{- end }}

{{- /* Requests in flight may take their whole budget after the door is closed, and a little to be written out. */}}
{{- define "model-server.graceSeconds" -}}
{{- add (ceil (.Values.config.requestTimeoutSeconds | float64) | int) 5 }}
{{- end }}

{{- /* The delay with the door open, the requests in flight, and 5 s for the workers to go. */}}
{{- define "model-server.terminationGracePeriodSeconds" -}}
{{- add .Values.shutdown.delaySeconds (include "model-server.graceSeconds" . | int) 5 }}
{{- end }}

{{- /* A memory quantity in MiB. */}}
{{- define "model-server.mebibytes" -}}
{{- $quantity := toString . }}
{{- if hasSuffix "Gi" $quantity }}{{ mulf (trimSuffix "Gi" $quantity | float64) 1024 | int }}
{{- else if hasSuffix "Mi" $quantity }}{{ trimSuffix "Mi" $quantity | float64 | int }}
{{- else if hasSuffix "G" $quantity }}{{ mulf (trimSuffix "G" $quantity | float64) 953.674 | int }}
{{- else if hasSuffix "M" $quantity }}{{ mulf (trimSuffix "M" $quantity | float64) 0.953674 | int }}
{{- else }}{{ divf ($quantity | float64) 1048576 | int }}
{{- end }}
{{- end }}

{{- /* CPUs, rounded up, as the downward API does. */}}
{{- define "model-server.cpus" -}}
{{- $quantity := toString . }}
{{- if hasSuffix "m" $quantity }}{{ divf (trimSuffix "m" $quantity | float64) 1000 | ceil | int }}
{{- else }}{{ $quantity | float64 | ceil | int }}
{{- end }}
{{- end }}

{{- /*
Each worker's share of the memory limit, in MiB, after /tmp and 320 MiB for the server with the pictures that wait in
it. The server kills a worker that grows over it: one page fails. Without that, the kernel would kill the container.
*/}}
{{- define "model-server.workerKillMib" -}}
{{- $limits := dig "limits" dict (.Values.resources | default dict) | default dict }}
{{- if .Values.config.workerKillMib }}{{ .Values.config.workerKillMib | int }}
{{- else if and $limits.memory (or .Values.config.workers $limits.cpu) }}
{{- $workers := .Values.config.workers | int }}
{{- if not $workers }}{{ $workers = include "model-server.cpus" $limits.cpu | int }}{{ end }}
{{- $limit := include "model-server.mebibytes" $limits.memory | int }}
{{- $own := add 320 (include "model-server.mebibytes" .Values.tmp.sizeLimit | int) }}
{{- $share := div (sub $limit $own) $workers }}
{{- if lt (int $share) 256 }}
{{- fail (printf "resources.limits.memory: %s leave %d MiB to each of %d workers, and a page needs up to 256. Raise the limit, lower the CPU limit or config.workers, or set config.workerKillMib." (toString $limits.memory) (int $share) $workers) }}
{{- end }}
{{- $share }}
{{- end }}
{{- end }}

{{- /* The settings, as the service's environment variables. */}}
{{- define "model-server.settings" -}}
{{- $kill := include "model-server.workerKillMib" . }}
{{- $derived := dict
      "host" "0.0.0.0"
      "port" 8080
      "shutdownDelaySeconds" .Values.shutdown.delaySeconds
      "shutdownGraceSeconds" (include "model-server.graceSeconds" . | int) }}
{{- if $kill }}
{{- $_ := set $derived "workerKillMib" (int $kill) }}
{{- $_ := set $derived "workerRecycleMib" (default (div (int $kill) 2) .Values.config.workerRecycleMib) }}
{{- end }}
{{- if .Values.tessdata.volume }}
{{- $_ := set $derived "tessdataDir" .Values.tessdata.mountPath }}
{{- end }}
{{- range $key, $value := merge $derived (omit .Values.config "workers") }}
{{- if kindIs "slice" $value }}
{{- with $value }}
MODEL_SERVER_{{ snakecase $key | upper }}: {{ join "," . | quote }}
{{- end }}
{{- else if kindIs "string" $value }}
MODEL_SERVER_{{ snakecase $key | upper }}: {{ $value | quote }}
{{- else if not (kindIs "invalid" $value) }}
MODEL_SERVER_{{ snakecase $key | upper }}: {{ toJson $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "model-server.check" -}}
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
{{- end }}
