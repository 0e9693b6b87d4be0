{{- /* The pods of the gateway, and with the worker's values those of the worker. */}}
{{- define "api-gateway.podMetadata" -}}
annotations:
  checksum/config: {{ include "api-gateway.settings" . | sha256sum }}
  {{- if and .Values.metrics.annotations (not (include "api-gateway.monitored" .)) }}
  prometheus.io/scrape: "true"
  prometheus.io/port: {{ .Values.metrics.port | quote }}
  prometheus.io/path: "/metrics"
  {{- end }}
  {{- with .Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
labels:
  {{- include "api-gateway.podLabels" . | nindent 2 }}
  {{- with .Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "api-gateway.podSpec" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
serviceAccountName: {{ include "api-gateway.serviceAccountName" . }}
automountServiceAccountToken: false
# Service links would set API_GATEWAY_PORT=tcp://…, which the service would read as its setting.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "api-gateway.terminationGracePeriodSeconds" . }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: api-gateway
    image: {{ include "api-gateway.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    {{- with .Values.securityContext }}
    securityContext:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    envFrom:
      - configMapRef:
          name: {{ include "api-gateway.fullname" . }}
      {{- with .Values.extraEnvFrom }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- if or (include "api-gateway.secretEnv" .) .Values.extraEnv }}
    env:
      {{- with include "api-gateway.secretEnv" . }}
      {{- . | trim | nindent 6 }}
      {{- end }}
      {{- with .Values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- end }}
    ports:
      - name: http
        containerPort: 8001
        protocol: TCP
      - name: metrics
        containerPort: {{ .Values.metrics.port }}
        protocol: TCP
    # Independent of the model server, which may take longer.
    startupProbe:
      httpGet:
        path: /health/live
        port: http
      periodSeconds: {{ .Values.probes.startup.periodSeconds }}
      timeoutSeconds: 3
      failureThreshold: {{ .Values.probes.startup.failureThreshold }}
    # 503 after SIGTERM. 200 also without a model server: clients then get a 503 with Retry-After, not a refused connection.
    readinessProbe:
      httpGet:
        path: /health/serving
        port: http
      periodSeconds: {{ .Values.probes.readiness.periodSeconds }}
      timeoutSeconds: {{ .Values.probes.readiness.timeoutSeconds }}
      failureThreshold: {{ .Values.probes.readiness.failureThreshold }}
    # Only whether the event loop still runs.
    livenessProbe:
      httpGet:
        path: /health/live
        port: http
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
      - name: spool
        mountPath: /spool
      {{- if include "api-gateway.hasSqlite" . }}
      - name: jobs
        mountPath: /jobs
      {{- end }}
      {{- if include "api-gateway.keysSecret" . }}
      - name: api-keys
        mountPath: /run/secrets/api-gateway
        readOnly: true
      {{- end }}
      {{- if .Values.modelServerTls.existingSecret }}
      - name: model-server-tls
        mountPath: /run/secrets/model-server
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
  - name: spool
    emptyDir:
      sizeLimit: {{ .Values.spool.sizeLimit }}
  {{- if include "api-gateway.hasSqlite" . }}
  - name: jobs
    persistentVolumeClaim:
      claimName: {{ include "api-gateway.claim" . }}
  {{- end }}
  {{- with include "api-gateway.keysSecret" . }}
  - name: api-keys
    secret:
      secretName: {{ . }}
  {{- end }}
  {{- with .Values.modelServerTls.existingSecret }}
  - name: model-server-tls
    secret:
      secretName: {{ . }}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
topologySpreadConstraints:
  {{- $selector := dict "labelSelector" (dict "matchLabels" (include "api-gateway.selector" . | fromYaml)) }}
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
