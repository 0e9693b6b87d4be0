{{- /* Traces: the standard variables of OpenTelemetry, if there is a collector. */}}
{{- define "api-gateway.tracing" -}}
{{- with .Values.tracing }}
{{- if .endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ .endpoint | quote }}
OTEL_SERVICE_NAME: {{ include "api-gateway.fullname" $ }}
OTEL_TRACES_SAMPLER: {{ .sampler }}
OTEL_TRACES_SAMPLER_ARG: {{ .ratio | toString | quote }}
{{- $attributes := list (printf "service.namespace=%s" $.Release.Namespace) }}
{{- range $name, $value := .attributes }}
{{- $attributes = append $attributes (printf "%s=%s" $name (toString $value | urlquery | replace "+" "%20")) }}
{{- end }}
OTEL_RESOURCE_ATTRIBUTES: {{ join "," $attributes | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The rule of a NetworkPolicy that lets traces out. */}}
{{- define "api-gateway.traceEgress" -}}
{{- if .Values.tracing.endpoint }}
{{- $url := urlParse .Values.tracing.endpoint }}
- ports:
    - port: {{ regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary 443 80 (eq $url.scheme "https")) }}
      protocol: TCP
  {{- with .Values.networkPolicy.collector }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
