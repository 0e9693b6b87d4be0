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

{{- /* Whether there is always more than one pod, with or without the autoscaler. */}}
{{- define "model-server.several" -}}
{{- $fewest := .Values.autoscaling.enabled | ternary .Values.autoscaling.minReplicas .Values.replicaCount }}
{{- if gt (int $fewest) 1 }}true{{ end }}
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

{{- /* Workers, as far as they are known here; 0: the service derives them. */}}
{{- define "model-server.workers" -}}
{{- $cpu := (include "model-server.limits" . | fromYaml).cpu }}
{{- if .Values.config.workers }}{{ .Values.config.workers | int }}
{{- else if $cpu }}{{ include "model-server.cpus" $cpu }}
{{- else }}0
{{- end }}
{{- end }}

{{- /* MiB of the neural engine in each worker. */}}
{{- define "model-server.neuralMib" -}}
{{- if eq .Values.config.neural false }}0{{ else }}384{{ end }}
{{- end }}

{{- /*
Each worker's share of the memory limit, in MiB, after /tmp, 200 MiB for the program and config.maxBodiesMib. The server
kills a worker that grows over it: one page fails. Without that, the kernel would kill the container.
*/}}
{{- define "model-server.workerKillMib" -}}
{{- $workers := include "model-server.workers" . | int }}
{{- $memory := include "model-server.memoryMib" . | int }}
{{- $own := add 200 (.Values.config.maxBodiesMib | default 120) (include "model-server.mebibytes" .Values.tmp.sizeLimit | int) }}
{{- if .Values.config.workerKillMib }}
{{- if and $memory (gt (add $own (mul (max 1 $workers) (int .Values.config.workerKillMib)) | int) $memory) }}
{{- fail (printf "resources.limits.memory: %d MiB is less than the sum of %d MiB for the server and %d x config.workerKillMib (%v)." $memory $own (max 1 $workers) .Values.config.workerKillMib) }}
{{- end }}
{{- .Values.config.workerKillMib | int }}
{{- else if and $memory $workers }}
{{- $share := div (sub $memory $own) $workers }}
{{- $least := add 256 (include "model-server.neuralMib" . | int) }}
{{- if lt (int $share) (int $least) }}
{{- fail (printf "resources.limits.memory: %s leave %d MiB to each of %d workers, and each needs up to %d. Raise the limit, lower the CPU limit or config.workers, set config.neural to false, or set config.workerKillMib." (toString .Values.resources.limits.memory) (int $share) $workers (int $least)) }}
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
      "shutdownGraceSeconds" (include "model-server.graceSeconds" . | int)
      "tmpMib" (include "model-server.mebibytes" .Values.tmp.sizeLimit | int) }}
{{- with include "model-server.memoryMib" . }}
{{- $_ := set $derived "memoryMib" (int .) }}
{{- end }}
{{- if $kill }}
{{- $_ := set $derived "workerKillMib" (int $kill) }}
{{- $neural := include "model-server.neuralMib" . | int }}
{{- $_ := set $derived "workerRecycleMib" (default (add $neural (div (sub (int $kill) $neural) 2)) .Values.config.workerRecycleMib | int) }}
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
