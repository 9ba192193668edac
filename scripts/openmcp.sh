# shellcheck shell=bash
# What stands in for openMCP where it does not run: its operator, as far as a PlatformService goes, and a provider of clusters, as far as
# an AccessRequest goes. To be sourced after clusters.sh; `kubeconfig_of` is set: for each Cluster, the kubeconfig by which its provider
# gets in.
#
# Source: openmcp-project/openmcp-operator `internal/controllers/provider` and `api/provider/v1alpha1`, cluster-provider-kind
# `internal/controller/accessrequest_controller.go`.
# shellcheck disable=SC2154,SC2034,SC2016

# Where the operator has its things.
operator_namespace=openmcp-system

# Where a provider has its accounts in a cluster.
accounts=accessrequests

# A PlatformService as the accounts, rights and the Job that the operator makes of it first.
first_objects='
  def labels($name; $component): {
    "app.kubernetes.io/managed-by": "openmcp-operator", "app.kubernetes.io/name": "PlatformService",
    "app.kubernetes.io/instance": $name, "app.kubernetes.io/component": $component };
  def own($variable; $path): {name: $variable, valueFrom: {fieldRef: {fieldPath: $path}}};
  def pod($component; $account; $arguments): {
    metadata: {labels: labels(.metadata.name; $component)},
    spec: {
      serviceAccountName: $account,
      containers: [{
        name: "platformservice", image: .spec.image, args: $arguments, volumeMounts: (.spec.extraVolumeMounts // []),
        env: ([own("POD_NAME"; "metadata.name"), own("POD_NAMESPACE"; "metadata.namespace"), own("POD_IP"; "status.podIP"),
          own("POD_SERVICE_ACCOUNT_NAME"; "spec.serviceAccountName")] + (.spec.env // [])) }],
      volumes: (.spec.extraVolumes // []), imagePullSecrets: (.spec.imagePullSecrets // []) }};
  def arguments($command): [$command, "--environment=test", "--verbosity=\(.spec.verbosity // "INFO")", "--provider-name=\(.metadata.name)"];
  def list($items): {apiVersion: "v1", kind: "List", items: $items};'

job=$first_objects'
  .metadata.name as $name | "ps-\($name)" as $ps |
  list([
    ({apiVersion: "v1", kind: "ServiceAccount"} | .metadata = {name: $ps, namespace: $namespace}),
    ({apiVersion: "v1", kind: "ServiceAccount"} | .metadata = {name: "\($ps)-init", namespace: $namespace}),
    {apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata: {name: "openmcp.cloud:\($ps)"},
      roleRef: {apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin"},
      subjects: [$ps, "\($ps)-init" | {kind: "ServiceAccount", name: ., namespace: $namespace}]},
    {apiVersion: "batch/v1", kind: "Job", metadata: {name: "\($ps)-init", namespace: $namespace, labels: labels($name; "init-job")},
      spec: {backoffLimit: 4, template: (pod("init-job"; "\($ps)-init"; arguments("init") + (.spec.initCommand // []))
        | .spec.restartPolicy = "Never")}} ])'

deployed=$first_objects'
  .metadata.name as $name | "ps-\($name)" as $ps | (.spec.runReplicas // 1) as $replicas |
  (arguments("run") + (if $replicas > 1 then ["--leader-elect=true"] else [] end)
    + (if .spec.metrics.disabled == true then [] else ["--metrics-bind-address=:8080", "--metrics-secure=false"] end)) as $arguments |
  list([
    {apiVersion: "apps/v1", kind: "Deployment", metadata: {name: $ps, namespace: $namespace, labels: labels($name; "controller")},
      spec: {replicas: $replicas, selector: {matchLabels: labels($name; "controller")}, template: pod("controller"; $ps; $arguments)}} ])'

# What is said of it.
say_of_service() { # NAME PHASE INITIALIZED READY
    local now
    now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    platform get platformservice "$1" -o json | jq --arg phase "$2" --arg initialized "$3" --arg ready "$4" --arg now "$now" \
        'def condition($type; $status): {type: $type, status: $status, reason: "Test", message: "", lastTransitionTime: $now};
        {status: {observedGeneration: .metadata.generation, phase: $phase,
            conditions: [condition("Initialized"; $initialized), condition("Ready"; $ready)]}}' >"$scratch/status"
    platform patch platformservice "$1" --subresource=status --type=merge --patch-file "$scratch/status" >/dev/null
}

# The operator's look at a PlatformService.
operate() { # NAME
    local service ps=ps-$1
    service=$(platform get platformservice "$1" -o json)
    if jq -e '.metadata.deletionTimestamp' <<<"$service" >/dev/null; then
        # Nobody is asked to take anything back.
        platform -n "$operator_namespace" delete deployment/"$ps" job/"$ps-init" serviceaccount/"$ps" serviceaccount/"$ps-init" \
            --ignore-not-found >/dev/null
        platform delete clusterrolebinding "openmcp.cloud:$ps" --ignore-not-found >/dev/null
        platform patch platformservice "$1" --type=merge -p '{"metadata": {"finalizers": null}}' >/dev/null
        return
    fi
    platform patch platformservice "$1" --type=merge -p '{"metadata": {"finalizers": ["openmcp.cloud/finalizer"]}}' >/dev/null
    if [ -z "$(platform -n "$operator_namespace" get job "$ps-init" --ignore-not-found -o name)" ]; then
        jq --arg namespace "$operator_namespace" "$job" <<<"$service" | platform apply --server-side -f - >/dev/null
        say_of_service "$1" Progressing False False
    elif [ "$(platform -n "$operator_namespace" get job "$ps-init" -o 'jsonpath={.status.succeeded}')" = 1 ]; then
        jq --arg namespace "$operator_namespace" "$deployed" <<<"$service" | platform apply --server-side -f - >/dev/null
        if platform -n "$operator_namespace" rollout status "deployment/$ps" --timeout=1s >/dev/null 2>&1; then
            say_of_service "$1" Ready True True
        else
            say_of_service "$1" Progressing True False
        fi
    fi
}

# An AccessRequest as what its provider makes in the cluster: an account with exactly what was asked for.
granted='
  .metadata.name as $name | {openmcp: $name} as $labels |
  {apiVersion: "v1", kind: "List", items: ([
    {apiVersion: "v1", kind: "Namespace", metadata: {name: $namespace}},
    {apiVersion: "v1", kind: "ServiceAccount", metadata: {name: $name, namespace: $namespace, $labels}}
  ] + [.spec.token.permissions | to_entries[] | .key as $number | .value |
    (if .namespace then {prefix: "", place: {namespace}} else {prefix: "Cluster", place: {}} end) as {$prefix, $place} |
    ({name: "\($name)-\($number)", $labels} + $place) as $metadata |
    {apiVersion: "rbac.authorization.k8s.io/v1", kind: "\($prefix)Role", $metadata, rules},
    {apiVersion: "rbac.authorization.k8s.io/v1", kind: "\($prefix)RoleBinding", $metadata,
      roleRef: {apiGroup: "rbac.authorization.k8s.io", kind: "\($prefix)Role", name: $metadata.name},
      subjects: [{kind: "ServiceAccount", $name, $namespace}]} ])}'

# The look of operator and provider at an AccessRequest.
provide() { # NAMESPACE NAME
    local request cluster admin token finalizers
    request=$(platform -n "$1" get accessrequest "$2" -o json)
    cluster=$(jq -r '.spec.clusterRef.name' <<<"$request")
    admin=${kubeconfig_of[$cluster]:?no such Cluster}
    if jq -e '.metadata.deletionTimestamp' <<<"$request" >/dev/null; then
        # As the provider of kind does: without its Cluster, it goes no further.
        platform -n "$1" get cluster "$cluster" >/dev/null || return 0
        on "$admin" delete clusterrole,clusterrolebinding -l "openmcp=$2" >/dev/null
        on "$admin" delete role,rolebinding,serviceaccount -A -l "openmcp=$2" >/dev/null
        finalizers=$(jq -c '.metadata.finalizers | map(select(. != "clusters.openmcp.cloud/finalizer"))' <<<"$request")
        platform -n "$1" patch accessrequest "$2" --type=merge -p "{\"metadata\": {\"finalizers\": $finalizers}}" >/dev/null
        return
    fi
    if jq -e '.status.phase == "Granted" and .status.observedGeneration == .metadata.generation' <<<"$request" >/dev/null; then
        return
    fi
    jq '{metadata: {labels: ((.metadata.labels // {}) + {"clusters.openmcp.cloud/provider": "test", "clusters.openmcp.cloud/profile": "test"}),
        finalizers: ((.metadata.finalizers // []) + ["clusters.openmcp.cloud/finalizer"] | unique)}}' <<<"$request" >"$scratch/labels"
    platform -n "$1" patch accessrequest "$2" --type=merge --patch-file "$scratch/labels" >/dev/null
    jq --arg namespace "$accounts" "$granted" <<<"$request" | on "$admin" apply --server-side -f - >/dev/null
    token=$(on "$admin" -n "$accounts" create token "$2" --duration=24h)
    kubectl config view --kubeconfig "$admin" --raw --minify -o json |
        jq --arg token "$token" '.users[0].user = {$token}' >"$scratch/kubeconfig"
    platform -n "$1" create secret generic "$2.kubeconfig" --from-file=kubeconfig="$scratch/kubeconfig" --dry-run=client -o json |
        jq --argjson request "$request" '.metadata.ownerReferences = [($request | {apiVersion, kind} + {name: .metadata.name,
            uid: .metadata.uid, controller: true})]' | platform apply --server-side -f - >/dev/null
    jq '{status: {phase: "Granted", observedGeneration: .metadata.generation, secretRef: {name: "\(.metadata.name).kubeconfig"}}}' \
        <<<"$request" >"$scratch/granted"
    platform -n "$1" patch accessrequest "$2" --subresource=status --type=merge --patch-file "$scratch/granted" >/dev/null
    echo "   granted: $1/$2" >&2
}

# All of it, until it is ended. What fails is done again: somebody may have been faster.
be_openmcp() {
    local namespace name
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    while sleep 1; do
        for name in $(platform get platformservices -o 'jsonpath={.items[*].metadata.name}'); do
            operate "$name" || true
        done
        while read -r namespace name; do
            [ -z "$name" ] || provide "$namespace" "$name" || true
        done < <(platform get accessrequests -A -o 'jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name}{"\n"}{end}')
    done
}
