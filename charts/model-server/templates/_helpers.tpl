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

{{- /* Requests in flight may use their whole time budget after the listener is closed, and 5 s for the answer. */}}
{{- define "model-server.graceSeconds" -}}
{{- add (ceil (.Values.config.requestTimeoutSeconds | float64) | int) 5 }}
{{- end }}

{{- /* The delay, the requests in flight, and 5 s for the workers to end. */}}
{{- define "model-server.terminationGracePeriodSeconds" -}}
{{- add .Values.shutdown.delaySeconds (include "model-server.graceSeconds" . | int) 5 }}
{{- end }}

{{- /* A memory quantity in whole MiB. */}}
{{- define "model-server.mebibytes" -}}
{{- $quantity := toString . }}
{{- $unit := regexFind "[A-Za-z]*$" $quantity }}
{{- $bytes := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- divf (mulf (trimSuffix $unit $quantity | float64) (get $bytes $unit)) 1048576 | floor | int }}
{{- end }}

{{- /* The container's memory limit in whole MiB; empty: none. */}}
{{- define "model-server.memoryMib" -}}
{{- with (include "model-server.limits" . | fromYaml).memory }}{{ include "model-server.mebibytes" . }}{{ end }}
{{- end }}

{{- define "model-server.limits" -}}
{{- dig "limits" dict (.Values.resources | default dict) | default dict | toYaml }}
{{- end }}

{{- /* CPUs, rounded up, as the downward API does. */}}
{{- define "model-server.cpus" -}}
{{- $quantity := toString . }}
{{- if hasSuffix "m" $quantity }}{{ divf (trimSuffix "m" $quantity | float64) 1000 | ceil | int }}
{{- else }}{{ $quantity | float64 | ceil | int }}
{{- end }}
{{- end }}

{{- /*
Workers, as far as they are known here; 0: the service derives them from its CPUs and its memory. Without a memory limit
the number of CPUs alone would be too many for a node with little memory.
*/}}
{{- define "model-server.workers" -}}
{{- $limits := include "model-server.limits" . | fromYaml }}
{{- if .Values.config.workers }}{{ .Values.config.workers | int }}
{{- else if and $limits.cpu $limits.memory }}{{ include "model-server.cpus" $limits.cpu }}
{{- else }}0
{{- end }}
{{- end }}

{{- /* The settings, as the service's environment variables. What is not given here the service derives itself. */}}
{{- define "model-server.settings" -}}
{{- $derived := dict
      "host" "0.0.0.0"
      "port" 8080
      "shutdownDelaySeconds" .Values.shutdown.delaySeconds
      "shutdownGraceSeconds" (include "model-server.graceSeconds" . | int)
      "tmpMib" (include "model-server.mebibytes" .Values.tmp.sizeLimit | int) }}
{{- with include "model-server.memoryMib" . }}
{{- $_ := set $derived "memoryMib" (int .) }}
{{- end }}
{{- if .Values.tls.existingSecret }}
{{- $_ := set $derived "probePort" 8082 }}
{{- $_ := set $derived "tlsCertFile" "/run/secrets/tls/tls.crt" }}
{{- $_ := set $derived "tlsKeyFile" "/run/secrets/tls/tls.key" }}
{{- if .Values.tls.clients }}
{{- $_ := set $derived "tlsClientCaFile" "/run/secrets/tls/ca.crt" }}
{{- end }}
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
{{- include "model-server.tracing" . }}
{{- end }}

{{- /* 0: none. */}}
{{- define "model-server.grpcPort" -}}
{{ kindIs "invalid" .Values.config.grpcPort | ternary 8081 .Values.config.grpcPort | int }}
{{- end }}

{{- /* The port of probes and metrics, by its name. */}}
{{- define "model-server.plainPort" -}}
{{ ternary "http" "plain" (empty .Values.tls.existingSecret) }}
{{- end }}

{{- define "model-server.check" -}}
{{- if and .Values.tls.clients (not .Values.tls.existingSecret) }}
{{- fail "tls.clients needs tls.existingSecret, which has the authority of their certificates." }}
{{- end }}
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
{{- if and .Values.autoscaling.enabled (not (dig "requests" "cpu" "" (.Values.resources | default dict))) }}
{{- fail "autoscaling.targetCPUPercent is a percentage of resources.requests.cpu, which is not set." }}
{{- end }}
{{- if gt (len (compact (list .Values.autoscaling.enabled .Values.keda.enabled))) 1 }}
{{- fail "Enable autoscaling or keda, not both: each would undo what the other does." }}
{{- end }}
{{- if and .Values.keda.enabled .Values.inferenceService.enabled }}
{{- fail "keda: KServe makes the Deployment of an InferenceService, and its own autoscaler." }}
{{- end }}
{{- if gt (len (compact (list .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled))) 1 }}
{{- fail "metrics: enable serviceMonitor or podMonitor, not both: every sum would count twice." }}
{{- end }}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") }}
{{- fail "service.nodePort needs service.type NodePort or LoadBalancer." }}
{{- end }}
{{- if eq (include "model-server.memoryMib" .) "0" }}
{{- fail (printf "resources.limits.memory: %s is less than 1 MiB." (toString .Values.resources.limits.memory)) }}
{{- end }}
{{- if not (include "model-server.memoryMib" .) }}
{{- range $name := list "workers" "workerKillMib" "workerRecycleMib" }}
{{- if get $.Values.config $name }}
{{- fail (printf "config.%s needs resources.limits.memory: the service compares the sum of all parts with it." $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- with include "model-server.faults" . | trim }}
{{- fail (splitList "\n" . | join "; ") }}
{{- end }}
{{- end }}

{{- /* What the service would refuse at its start: the values, and the sentence of model_server/settings.py. */}}
{{- define "model-server.faults" -}}
{{- $config := .Values.config }}
{{- $bodies := $config.maxBodiesMib | default 120 | int }}
{{- $call := mulf (addf (divf (mulf ($config.maxImageMib | default 20) 4) 3) 0.0625) 2.5 | ceil | int }}
{{- if and (eq (toString $config.engine) "neural") (eq $config.neural false) }}
config.engine: ENGINE=neural needs NEURAL=true
{{- end }}
{{- if or (eq (include "model-server.grpcPort" .) "8080") (and .Values.tls.existingSecret (eq (include "model-server.grpcPort" .) "8082")) }}
config.grpcPort: GRPC_PORT must be neither PORT nor PROBE_PORT
{{- end }}
{{- if lt $bodies $call }}
config.maxBodiesMib: MAX_BODIES_MIB={{ $bodies }} is less than {{ $call }}, 2.5 times a call with one picture of MAX_IMAGE_MIB
{{- end }}
{{- with include "model-server.memoryMib" . }}
{{- include "model-server.memoryFaults" (dict "memory" (int .) "bodies" $bodies "root" $) }}
{{- end }}
{{- end }}

{{- define "model-server.memoryFaults" -}}
{{- $config := .root.Values.config }}
{{- $neural := eq $config.neural false | ternary 0 384 }}
{{- $least := add 256 $neural | int }}
{{- $tmp := include "model-server.mebibytes" .root.Values.tmp.sizeLimit | int }}
{{- $parent := printf "200 MiB for the program, MAX_BODIES_MIB=%d, TMP_MIB=%d" .bodies $tmp }}
{{- $rest := max 0 (sub .memory (add 200 .bodies $tmp)) | int }}
{{- $workers := include "model-server.workers" .root | int | default (max 1 (div $rest ($config.workerKillMib | default $least | int))) | int }}
{{- $kill := $config.workerKillMib | default (div $rest $workers) | int }}
{{- $recycle := $config.workerRecycleMib | default (add $neural (div (sub $kill $neural) 2)) | int }}
{{- if and (not $config.workerKillMib) (lt $kill $least) }}
resources.limits.memory, config.workers: MEMORY_MIB={{ .memory }} leaves {{ $kill }} MiB to each of {{ $workers }} WORKERS after {{ $parent }}, and each needs {{ $least }}
{{- if $neural }}, of which NEURAL=false saves {{ $neural }}{{ end }}
{{- else }}
{{- if gt (add 200 .bodies $tmp (mul $workers $kill) | int) .memory }}
resources.limits.memory, config.workerKillMib: MEMORY_MIB={{ .memory }} is less than the sum of {{ $parent }} and {{ $workers }} WORKERS of WORKER_KILL_MIB={{ $kill }}
{{- end }}
{{- if lt $kill (add $neural 128 | int) }}
config.workerKillMib: WORKER_KILL_MIB={{ $kill }} is less than {{ add $neural 128 }}, which a worker needs
{{- else if lt $kill $recycle }}
config.workerKillMib, config.workerRecycleMib: WORKER_KILL_MIB={{ $kill }} must not be below WORKER_RECYCLE_MIB={{ $recycle }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Whether an object of the Prometheus operator finds the pods, and not annotations. */}}
{{- define "model-server.monitored" -}}
{{- if or .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled }}true{{ end }}
{{- end }}
