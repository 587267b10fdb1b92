# fish completion for wsl4ctl(1)

function __wsl4ctl_status
    set -l given (commandline -opc)
    set -l socket (string match -- '--socket=*' $given)
    if set -l at (contains -i -- --socket $given); and set -q given[(math $at + 1)]
        set socket --socket $given[(math $at + 1)]
    end
    # Best effort: no daemon, no names.
    wsl4ctl $socket status --json 2>/dev/null | tr -d '\n'
end

function __wsl4ctl_services
    __wsl4ctl_status | grep -oE '"name": *"[^"]+", *"protocol"' | cut -d '"' -f 4
end

# The backends of the service named last before: what stands between its "protocol" and the next one's.
function __wsl4ctl_backends
    set -l given (commandline -opc)
    for service in $given[-1..1]
        set -l names (__wsl4ctl_status |
            awk -v RS='"protocol"' -v name="\"name\": *\"$service\", *\$" 'found { print; exit } $0 ~ name { found = 1 }' |
            grep -oE '"name": *"[^"]+", *"address"' | cut -d '"' -f 4)
        if set -q names[1]
            printf '%s\n' $names
            return
        end
    end
end

# Whether `backend ACTION` stands there, with so many arguments behind it.
function __wsl4ctl_backend_arguments -a wanted
    set -l given (commandline -opc)
    set -l at (contains -i -- backend $given); or return 1
    set -l arguments -2 # but for `backend` and ACTION
    set -l before ''
    for word in $given[$at..-1]
        # Options, and the values of those that have one.
        if not string match -q -- '-*' $word
            and not contains -- $before --socket --weight --max-connections --public --evict
            set arguments (math $arguments + 1)
        end
        set before $word
    end
    test $arguments -eq $wanted
end

set -l commands status check reload backend rebalance failover promote demote pick flows events keygen purge
set -l actions add remove enable disable drain weight reset

complete -c wsl4ctl -f
complete -c wsl4ctl -l socket -r -F -d 'The control socket of the daemon'
complete -c wsl4ctl -l json -d 'Print JSON instead of text'
complete -c wsl4ctl -s h -l help -d 'Print help'
complete -c wsl4ctl -l version -d 'Print the version'

complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a status -d 'Show this node, its services, backends and SNAT pools'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a check -d 'Check a configuration file and this machine, without a daemon'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a reload -d 'Load the configuration file again'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a backend -d 'Change a backend at run time'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a rebalance -d 'Move the surplus of over-full backends'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a failover -d 'Hand the active role to the peer'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a promote -d 'Make this node active (external election)'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a demote -d 'Make this node standby (external election)'
complete -c wsl4ctl -n '__fish_seen_subcommand_from failover' -l force -d 'Also to a peer that is not synced'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a pick -d 'Name the backend that a new client should use'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a flows -d 'List flows with their addresses on both sides'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a events -d 'Show what has happened to this node'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a keygen -d 'Make a new pre-shared key for the pair'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a purge -d 'Remove all of wsl4 from the kernel'

complete -c wsl4ctl -n '__fish_seen_subcommand_from status' -l watch -d 'Redraw every second'
complete -c wsl4ctl -n '__fish_seen_subcommand_from check' -F
complete -c wsl4ctl -n '__fish_seen_subcommand_from reload' -l dry-run -d 'Change nothing; print the changes as nft text'
complete -c wsl4ctl -n "__fish_seen_subcommand_from backend; and not __fish_seen_subcommand_from $actions" -a "$actions"
complete -c wsl4ctl -n '__wsl4ctl_backend_arguments 0' -a '(__wsl4ctl_services)' -d 'Service'
complete -c wsl4ctl -n '__wsl4ctl_backend_arguments 1; and not __fish_seen_subcommand_from add' -a '(__wsl4ctl_backends)' -d 'Backend'
complete -c wsl4ctl -n '__fish_seen_subcommand_from backend; and __fish_seen_subcommand_from add' -l weight -x -d 'Its share of new connections, 0 to 1000'
complete -c wsl4ctl -n '__fish_seen_subcommand_from backend; and __fish_seen_subcommand_from add' -l max-connections -x -d 'As many as it may carry'
complete -c wsl4ctl -n '__fish_seen_subcommand_from backend; and __fish_seen_subcommand_from add' -l public -x -d 'What pick hands out'
complete -c wsl4ctl -n '__fish_seen_subcommand_from backend; and __fish_seen_subcommand_from drain' -l evict -x -d 'End so many old connections per second'
complete -c wsl4ctl -n '__fish_seen_subcommand_from rebalance pick' -a '(__wsl4ctl_services)' -d 'Service'
complete -c wsl4ctl -n '__fish_seen_subcommand_from rebalance' -l rate -x -d 'Connections per second; 0 stops it'
complete -c wsl4ctl -n '__fish_seen_subcommand_from flows' -l service -x -a '(__wsl4ctl_services)' -d 'Only of this service'
complete -c wsl4ctl -n '__fish_seen_subcommand_from flows' -l backend -x -a '(__wsl4ctl_backends)' -d 'Only of this backend'
complete -c wsl4ctl -n '__fish_seen_subcommand_from flows' -l client -x -d 'Only of this client address'
complete -c wsl4ctl -n '__fish_seen_subcommand_from flows' -l snat -x -d 'The client behind this SNAT address and port'
complete -c wsl4ctl -n '__fish_seen_subcommand_from flows' -l limit -x -d 'At most so many; 0 is the most'
complete -c wsl4ctl -n '__fish_seen_subcommand_from events' -l follow -d 'Go on with what happens'
complete -c wsl4ctl -n '__fish_seen_subcommand_from keygen' -F
complete -c wsl4ctl -n '__fish_seen_subcommand_from purge' -l config -r -F -d 'The configuration file that the daemon used'
complete -c wsl4ctl -n '__fish_seen_subcommand_from purge' -l dry-run -d 'Change nothing; say what stands in the way'
