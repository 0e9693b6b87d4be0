{{- /* The pods, which the Deployment or the InferenceService makes. KServe knows its container by this name. */}}
{{- define "model-server.container" -}}
{{ .Values.inferenceService.enabled | ternary "kserve-container" "model-server" }}
{{- end }}

{{- define "model-server.podMetadata" -}}
annotations:
  checksum/config: {{ include "model-server.settings" . | sha256sum }}
  {{- if and .Values.metrics.annotations (not (include "model-server.monitored" .)) }}
  prometheus.io/scrape: "true"
  prometheus.io/port: {{ ternary "8080" "8082" (empty .Values.tls.existingSecret) | quote }}
  prometheus.io/path: "/metrics"
  {{- end }}
  {{- with .Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
labels:
  {{- include "model-server.podLabels" . | nindent 2 }}
  {{- with .Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "model-server.podSpec" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
serviceAccountName: {{ include "model-server.serviceAccountName" . }}
automountServiceAccountToken: false
# Service links would set MODEL_SERVER_PORT=tcp://…, which the service would read as its setting.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "model-server.terminationGracePeriodSeconds" . }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: {{ include "model-server.container" . }}
    image: {{ include "model-server.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    {{- with .Values.securityContext }}
    securityContext:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    envFrom:
      - configMapRef:
          name: {{ include "model-server.fullname" . }}
      {{- with .Values.extraEnvFrom }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- if or (include "model-server.workers" . | int) .Values.extraEnv }}
    env:
      {{- if .Values.config.workers }}
      - name: MODEL_SERVER_WORKERS
        value: {{ .Values.config.workers | quote }}
      {{- else if include "model-server.workers" . | int }}
      - name: MODEL_SERVER_WORKERS
        valueFrom:
          resourceFieldRef:
            containerName: {{ include "model-server.container" . }}
            resource: limits.cpu
            divisor: "1"
      {{- end }}
      {{- with .Values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- end }}
    ports:
      - name: http
        containerPort: 8080
        protocol: TCP
      {{- with include "model-server.grpcPort" . | int }}
      - name: grpc
        containerPort: {{ . }}
        protocol: TCP
      {{- end }}
      {{- if .Values.tls.existingSecret }}
      - name: plain
        containerPort: 8082
        protocol: TCP
      {{- end }}
    # Workers started, language data read.
    startupProbe:
      httpGet:
        path: /v1/models/{{ .Values.config.modelName }}
        port: {{ include "model-server.plainPort" . }}
      periodSeconds: {{ .Values.probes.startup.periodSeconds }}
      timeoutSeconds: 3
      failureThreshold: {{ .Values.probes.startup.failureThreshold }}
    # 503 while no worker can be started, and after SIGTERM.
    readinessProbe:
      httpGet:
        path: /v1/models/{{ .Values.config.modelName }}
        port: {{ include "model-server.plainPort" . }}
      periodSeconds: {{ .Values.probes.readiness.periodSeconds }}
      timeoutSeconds: {{ .Values.probes.readiness.timeoutSeconds }}
      failureThreshold: {{ .Values.probes.readiness.failureThreshold }}
    # Only whether the event loop still runs: neither a full queue nor a dead worker fails it.
    livenessProbe:
      httpGet:
        path: /v2/health/live
        port: {{ include "model-server.plainPort" . }}
      periodSeconds: {{ .Values.probes.liveness.periodSeconds }}
      timeoutSeconds: {{ .Values.probes.liveness.timeoutSeconds }}
      failureThreshold: {{ .Values.probes.liveness.failureThreshold }}
    {{- with .Values.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    volumeMounts:
      - name: tmp
        mountPath: /tmp
      {{- if .Values.tessdata.volume }}
      - name: tessdata
        mountPath: {{ .Values.tessdata.mountPath }}
        readOnly: true
      {{- end }}
      {{- if .Values.tls.existingSecret }}
      - name: tls
        mountPath: /run/secrets/tls
        readOnly: true
      {{- end }}
      {{- with .Values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: tmp
    emptyDir:
      medium: Memory
      sizeLimit: {{ .Values.tmp.sizeLimit }}
  {{- with .Values.tessdata.volume }}
  - name: tessdata
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tls.existingSecret }}
  - name: tls
    secret:
      secretName: {{ . }}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
topologySpreadConstraints:
  {{- $selector := dict "labelSelector" (dict "matchLabels" (include "model-server.selector" . | fromYaml)) }}
  {{- $spread := list (dict "maxSkew" 1 "topologyKey" "kubernetes.io/hostname" "whenUnsatisfiable" "ScheduleAnyway") }}
  {{- if not (kindIs "invalid" .Values.topologySpreadConstraints) }}
  {{- $spread = .Values.topologySpreadConstraints }}
  {{- end }}
  {{- range $spread }}
  - {{- toYaml (merge (deepCopy .) $selector) | nindent 4 }}
  {{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
