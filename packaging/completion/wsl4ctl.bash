# bash completion for wsl4ctl(1)                              -*- shell-script -*-

_wsl4ctl_status() {
    # Best effort: no daemon, no names.
    wsl4ctl "${socket[@]}" status --json 2>/dev/null | tr -d '\n'
}

_wsl4ctl_services() {
    _wsl4ctl_status | grep -oE '"name": *"[^"]+", *"protocol"' | cut -d '"' -f 4
}

# The backends of service $1: what stands between its "protocol" and the next one's.
_wsl4ctl_backends() {
    _wsl4ctl_status | awk -v RS='"protocol"' -v name="\"name\": *\"$1\", *$" 'found { print; exit } $0 ~ name { found = 1 }' |
        grep -oE '"name": *"[^"]+", *"address"' | cut -d '"' -f 4
}

_wsl4ctl() {
    local cur prev words cword
    if declare -F _init_completion >/dev/null; then
        _init_completion -n =: || return
    else
        cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
    fi

    # What stands before the word: commands and their arguments, and the options that say where names come from.
    local i service=""
    local -a given=() socket=()
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
            --socket)
                socket=(--socket "${words[i + 1]}")
                ((i++))
                ;;
            --socket=*) socket=("${words[i]}") ;;
            --service)
                service=${words[i + 1]}
                ((i++))
                ;;
            --config | --backend | --client | --snat | --limit | --weight | --max-connections | --public | --evict | --rate) ((i++)) ;;
            -*) ;;
            *) given+=("${words[i]}") ;;
        esac
    done

    case $prev in
        --socket | --config)
            COMPREPLY=($(compgen -f -- "$cur"))
            return
            ;;
        --service)
            COMPREPLY=($(compgen -W "$(_wsl4ctl_services)" -- "$cur"))
            return
            ;;
        --backend)
            COMPREPLY=($(compgen -W "$(_wsl4ctl_backends "$service")" -- "$cur"))
            return
            ;;
        --client | --snat | --limit | --weight | --max-connections | --public | --evict | --rate) return ;;
    esac

    local options="--socket --json --help" offered=""
    case ${given[0]}:${#given[@]} in
        :*) offered="status check reload backend rebalance failover promote demote pick flows events keygen purge $options --version" ;;
        status:*) offered="--watch $options" ;;
        check:* | keygen:*)
            offered=$options
            if [[ $cur != -* ]]; then
                COMPREPLY=($(compgen -f -- "$cur"))
                return
            fi
            ;;
        reload:*) offered="--dry-run $options" ;;
        backend:1) offered="add remove enable disable drain weight reset $options" ;;
        backend:2 | rebalance:1 | pick:1) offered=$(_wsl4ctl_services) ;;
        backend:3) [[ ${given[1]} == add ]] || offered=$(_wsl4ctl_backends "${given[2]}") ;;
        flows:*) offered="--service --backend --client --snat --limit $options" ;;
        events:*) offered="--follow $options" ;;
        failover:*) offered="--force $options" ;;
        promote:* | demote:*) offered=$options ;;
        purge:*) offered="--config --dry-run $options" ;;
    esac
    if [[ $cur == -* ]]; then
        case ${given[0]}:${given[1]} in
            backend:add) offered="--weight --max-connections --public $options" ;;
            backend:drain) offered="--evict $options" ;;
            rebalance:*) offered="--rate $options" ;;
            backend:* | pick:*) offered=$options ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$offered" -- "$cur"))
} && complete -F _wsl4ctl wsl4ctl
