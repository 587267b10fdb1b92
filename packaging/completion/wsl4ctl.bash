# bash completion for wsl4ctl(1)                              -*- shell-script -*-

_wsl4ctl_services() {
    # Best effort: no daemon, no names.
    wsl4ctl "${socket[@]}" status --json 2>/dev/null |
        tr -d '\n' | grep -oE '"name": *"[^"]+", *"protocol"' | cut -d '"' -f 4
}

_wsl4ctl() {
    local cur prev words cword
    if declare -F _init_completion >/dev/null; then
        _init_completion -n =: || return
    else
        cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
    fi

    local command="" i
    local -a socket=()
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
            --socket)
                socket=(--socket "${words[i + 1]}")
                ((i++))
                ;;
            --socket=*) socket=("${words[i]}") ;;
            -*) ;;
            *) [[ -z $command ]] && command=${words[i]} ;;
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
        --backend | --client | --snat | --limit) return ;;
    esac

    local options="--socket --json --help"
    case $command in
        "") COMPREPLY=($(compgen -W "status check reload flows events purge $options --version" -- "$cur")) ;;
        status) COMPREPLY=($(compgen -W "--watch $options" -- "$cur")) ;;
        check)
            if [[ $cur == -* ]]; then
                COMPREPLY=($(compgen -W "$options" -- "$cur"))
            else
                COMPREPLY=($(compgen -f -- "$cur"))
            fi
            ;;
        reload) COMPREPLY=($(compgen -W "--dry-run $options" -- "$cur")) ;;
        flows) COMPREPLY=($(compgen -W "--service --backend --client --snat --limit $options" -- "$cur")) ;;
        events) COMPREPLY=($(compgen -W "--follow $options" -- "$cur")) ;;
        purge) COMPREPLY=($(compgen -W "--config $options" -- "$cur")) ;;
    esac
} && complete -F _wsl4ctl wsl4ctl
