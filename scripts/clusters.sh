# shellcheck shell=bash
# What the tests on real clusters share. To be sourced after lib.sh; they set PLATFORM, TOOLBOX, `name` and the ADDRESS that it stands
# for, the service's `namespace` and `deployment` there, and when they `began`.
# shellcheck disable=SC2154

on() { kubectl --kubeconfig "$1" "${@:2}"; }
platform() { on "$PLATFORM" "$@"; }
cluster_name() { printf 'workload%02d' "$1"; }

# until WHAT SECONDS COMMAND: waits until a command succeeds.
until_it() {
    local what=$1 end=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= end)); then
            echo "not within its time: $what" >&2
            "$@" || true
            platform get dnsserviceconfigs,dnspolicies,clusterdnses,clusters -A || true
            platform -n "$namespace" get pods -o wide || true
            platform -n "$namespace" logs "deployment/$deployment" --tail=20 || true
            exit 1
        fi
        sleep 1
    done
    echo "$(($(date +%s) - began)) s: $what"
}

condition() { # CLUSTER-KIND NAME TYPE: is it True?
    [ "$(platform get "$1" "$2" -o "jsonpath={.status.conditions[?(@.type=='$3')].status}")" = True ]
}

# A pod that asks its own cluster's DNS ten times a second, and says what it heard.
start_asking() { # KUBECONFIG
    on "$1" delete pod openmcp-dns-asks --ignore-not-found --grace-period=1 >/dev/null
    on "$1" apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: {name: openmcp-dns-asks, namespace: default, labels: {app: openmcp-dns-asks}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: asks
      image: $TOOLBOX
      imagePullPolicy: IfNotPresent
      command:
        - sh
        - -c
        - |
          while :; do
            answer=\$(dig +short +tries=1 +timeout=1 $name 2>&1)
            case \$answer in
              $ADDRESS) echo right ;;
              *"timed out"* | *"no servers"* | *"communications error"*) echo lost ;;
              *) echo "wrong: \$answer" ;;
            esac
            sleep 0.1
          done
YAML
}

resolves() { # KUBECONFIG
    on "$1" logs openmcp-dns-asks --tail=3 | grep -q '^right'
}

# The cluster has an object that claims the name, and the address that it gets.
publish() { # KUBECONFIG
    on "$1" apply -f - >/dev/null <<YAML
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: openmcp-dns-test, namespace: default}
spec:
  rules:
    - host: $name
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: svc, port: {number: 80}}}}]}
YAML
    on "$1" patch ingress openmcp-dns-test --subresource=status --type=merge \
        -p "{\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"$ADDRESS\"}]}}}" >/dev/null
}
