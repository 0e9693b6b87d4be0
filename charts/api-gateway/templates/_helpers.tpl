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
app.kubernetes.io/component: {{ ternary "worker" "api-gateway" (eq (include "api-gateway.isWorker" .) "true") }}
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
{{- .Values.config.maxDiskMib | default (max 1 (sub (include "api-gateway.mebibytes" .Values.spool.sizeLimit | int) 64)) | int }}
{{- end }}

{{- /* The settings, as the service's environment variables. What is not given here the service derives itself. */}}
{{- define "api-gateway.settings" -}}
{{- $derived := dict
      "host" "0.0.0.0"
      "port" 8001
      "metricsPort" .Values.metrics.port
      "spoolDir" "/spool"
      "shutdownDelaySeconds" .Values.shutdown.delaySeconds
      "shutdownGraceSeconds" (include "api-gateway.graceSeconds" . | int)
      "documentGraceSeconds" .Values.shutdown.documentGraceSeconds
      "maxDiskMib" (include "api-gateway.maxDiskMib" . | int)
      "tmpMib" (include "api-gateway.mebibytes" .Values.tmp.sizeLimit | int) }}
{{- with include "api-gateway.memoryMib" . }}
{{- $_ := set $derived "memoryMib" (int .) }}
{{- end }}
{{- if include "api-gateway.keysSecret" . }}
{{- $_ := set $derived "apiKeysFile" (printf "/run/secrets/api-gateway/%s" .Values.apiKeys.secretKey) }}
{{- end }}
{{- range $key, $file := include "api-gateway.tlsFiles" . | fromYaml }}
{{- $_ := set $derived $key (printf "/run/secrets/model-server/%s" $file) }}
{{- end }}
{{- $derived = merge (include "api-gateway.jobSettings" . | fromYaml) $derived }}
{{- range $key, $value := merge $derived .Values.config }}
{{- if kindIs "slice" $value }}
API_GATEWAY_{{ snakecase $key | upper }}: {{ join "," $value | quote }}
{{- else if kindIs "string" $value }}
API_GATEWAY_{{ snakecase $key | upper }}: {{ $value | quote }}
{{- else if not (kindIs "invalid" $value) }}
API_GATEWAY_{{ snakecase $key | upper }}: {{ toJson $value | quote }}
{{- end }}
{{- end }}
{{- include "api-gateway.tracing" . }}
{{- end }}

{{- /* Settings that are files of the Secret for TLS, and their names in it. */}}
{{- define "api-gateway.tlsFiles" -}}
{{- with .Values.modelServerTls }}
{{- if .existingSecret }}
modelServerCaFile: ca.crt
{{- if .clientCertificate }}
modelServerCertFile: tls.crt
modelServerKeyFile: tls.key
{{- end }}
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
{{- if and .Values.autoscaling.enabled (not (dig "requests" "cpu" "" (.Values.resources | default dict))) }}
{{- fail "autoscaling.targetCPUPercent is a percentage of resources.requests.cpu, which is not set." }}
{{- end }}
{{- if gt (len (compact (list .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled))) 1 }}
{{- fail "metrics: enable serviceMonitor or podMonitor, not both: every sum would count twice." }}
{{- end }}
{{- if and .Values.service.nodePort (eq .Values.service.type "ClusterIP") }}
{{- fail "service.nodePort needs service.type NodePort or LoadBalancer." }}
{{- end }}
{{- if and .Values.apiKeys.existingSecret .Values.apiKeys.values }}
{{- fail "apiKeys: give existingSecret or values, not both." }}
{{- end }}
{{- if and .Values.modelServerTls.clientCertificate (not .Values.modelServerTls.existingSecret) }}
{{- fail "modelServerTls.clientCertificate needs modelServerTls.existingSecret, which has the certificate." }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}
{{- fail "ingress.hosts: name at least one host." }}
{{- end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- fail "httpRoute.parentRefs: name at least one gateway." }}
{{- end }}
{{- if eq (include "api-gateway.memoryMib" .) "0" }}
{{- fail (printf "resources.limits.memory: %s is less than 1 MiB." (toString .Values.resources.limits.memory)) }}
{{- end }}
{{- with (.Values.jobs.worker.resources.limits | default dict).memory }}
{{- if eq (include "api-gateway.mebibytes" .) "0" }}
{{- fail (printf "jobs.worker.resources.limits.memory: %s is less than 1 MiB." (toString .)) }}
{{- end }}
{{- end }}
{{- if not (include "api-gateway.memoryMib" .) }}
{{- range $name := list "maxHeldMib" "maxPagesHeldMib" "splitterKillMib" }}
{{- if get $.Values.config $name }}
{{- fail (printf "config.%s needs resources.limits.memory: the service compares the sum of all parts with it." $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- include "api-gateway.checkJobs" . }}
{{- $faults := include "api-gateway.faults" . | trim }}
{{- if .Values.jobs.worker.enabled }}
{{- $worker := dict "Values" (include "api-gateway.workerValues" . | fromYaml) "Chart" .Chart "Release" .Release }}
{{- $of := ternary "resources.limits.memory" "jobs.worker.resources.limits.memory" (empty .Values.jobs.worker.resources) }}
{{- $faults = printf "%s\n%s" $faults (include "api-gateway.faults" $worker | replace "resources.limits.memory" $of) | trim }}
{{- end }}
{{- with $faults }}
{{- fail (splitList "\n" . | compact | uniq | join "; ") }}
{{- end }}
{{- include "api-gateway.checkSpool" . }}
{{- if .Values.jobs.worker.enabled }}
{{- include "api-gateway.checkSpool" (dict "Values" (include "api-gateway.workerValues" . | fromYaml)) }}
{{- end }}
{{- end }}

{{- /* What the service would refuse at its start: the values, and the sentence of api_gateway/settings.py. */}}
{{- define "api-gateway.faults" -}}
{{- $config := .Values.config }}
{{- $memory := include "api-gateway.memoryMib" . }}
{{- $held := $config.maxHeldMib | default (ternary 256 (div (mul (int $memory) 2) 8) (empty $memory)) | int }}
{{- $disk := include "api-gateway.maxDiskMib" . | int }}
{{- $document := $config.maxDocumentMib | default 100 | float64 }}
{{- $picture := mulf (addf ($config.maxUploadMib | default 20) 0.0625) 2.5 | ceil | int }}
{{- if and .Values.modelServerTls.existingSecret (not (hasPrefix "https:" $config.modelServerUrl)) }}
config.modelServerUrl, modelServerTls: MODEL_SERVER_URL must begin with https:// for {{ .Values.modelServerTls.clientCertificate | ternary "MODEL_SERVER_CERT_FILE, MODEL_SERVER_KEY_FILE, MODEL_SERVER_CA_FILE" "MODEL_SERVER_CA_FILE" }}
{{- end }}
{{- if lt (include "api-gateway.graceSeconds" . | float64) (float64 $config.requestTimeoutSeconds) }}
shutdown.graceSeconds: SHUTDOWN_GRACE_SECONDS must not be below REQUEST_TIMEOUT_SECONDS
{{- end }}
{{- if ge ($config.waitForModelSeconds | default 0 | float64) (float64 $config.requestTimeoutSeconds) }}
config.waitForModelSeconds: WAIT_FOR_MODEL_SECONDS must be below REQUEST_TIMEOUT_SECONDS
{{- end }}
{{- if lt (float64 $disk) $document }}
spool.sizeLimit, config.maxDiskMib: MAX_DISK_MIB={{ $disk }} is less than MAX_DOCUMENT_MIB={{ $document }}
{{- end }}
{{- include "api-gateway.jobFaults" . }}
{{- range $config.proxies | default list }}
{{- if not (regexMatch "^([0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(/[0-9]+)?$" .) }}
config.proxies: PROXIES: {{ . }} is not a network
{{- end }}
{{- end }}
{{- if $memory }}
{{- include "api-gateway.memoryFaults" (dict "memory" (int $memory) "held" $held "root" .) }}
{{- end }}
{{- if lt $held $picture }}
resources.limits.memory, config.maxHeldMib: MAX_HELD_MIB={{ $held }} is less than the largest picture needs, {{ $picture }} MiB or 2.5 times MAX_UPLOAD_MIB and its form
{{- end }}
{{- end }}

{{- define "api-gateway.memoryFaults" -}}
{{- $config := .root.Values.config }}
{{- $program := div .memory 8 | int }}
{{- $children := div .memory 2 | int }}
{{- $pages := $config.maxPagesHeldMib | default (div .memory 8) | int }}
{{- $child := $config.splitterKillMib | default (div (mul .memory 3) 8) | int }}
{{- $tmp := include "api-gateway.mebibytes" .root.Values.tmp.sizeLimit | int }}
{{- $jobs := .root.Values.jobs.enabled }}
{{- $traces := not (empty .root.Values.tracing.endpoint) }}
{{- $needed := add (ternary 80 48 $jobs) (ternary 12 0 $traces) }}
{{- if lt $program (add $needed $tmp | int) }}
resources.limits.memory, tmp.sizeLimit: MEMORY_MIB={{ .memory }} is too little: an eighth of it is for the program, which needs {{ add $needed $tmp }} MiB with TMP_MIB={{ $tmp }}{{ ternary " and jobs" "" $jobs }}{{ ternary " and traces" "" $traces }}
{{- end }}
{{- if gt (add $program .held $pages $children | int) .memory }}
resources.limits.memory, config.maxHeldMib, config.maxPagesHeldMib: MEMORY_MIB={{ .memory }} is less than the sum of {{ $program }} MiB for the program, MAX_HELD_MIB={{ .held }}, MAX_PAGES_HELD_MIB={{ $pages }} and {{ $children }} MiB for child processes
{{- end }}
{{- if gt $child $children }}
config.splitterKillMib: SPLITTER_KILL_MIB={{ $child }} is more than all child processes together may have, {{ $children }} MiB or half of MEMORY_MIB
{{- end }}
{{- end }}

{{- /* What the kubelet would do: it evicts a pod that uses more disk space than either limit. */}}
{{- define "api-gateway.checkSpool" -}}
{{- $spool := include "api-gateway.mebibytes" .Values.spool.sizeLimit | int }}
{{- $disk := include "api-gateway.maxDiskMib" . | int }}
{{- if gt $disk $spool }}
{{- fail (printf "spool.sizeLimit: %s is less than config.maxDiskMib, %d MiB." .Values.spool.sizeLimit $disk) }}
{{- end }}
{{- with get (include "api-gateway.limits" . | fromYaml) "ephemeral-storage" }}
{{- if lt (include "api-gateway.mebibytes" . | int) (add $spool 64 | int) }}
{{- fail (printf "resources.limits.ephemeral-storage: %v is less than spool.sizeLimit (%s) and 64 MiB for logs: the kubelet would evict the pod." . $.Values.spool.sizeLimit) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Whether an object of the Prometheus operator finds the pods, and not annotations. */}}
{{- define "api-gateway.monitored" -}}
{{- if or .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled }}true{{ end }}
{{- end }}
