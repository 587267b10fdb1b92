# fish completion for wsl4ctl(1)

function __wsl4ctl_services
    # Best effort: no daemon, no names.
    wsl4ctl status --json 2>/dev/null | tr -d '\n' | grep -oE '"name": *"[^"]+", *"protocol"' | cut -d '"' -f 4
end

set -l commands status check reload flows events purge

complete -c wsl4ctl -f
complete -c wsl4ctl -l socket -r -F -d 'The control socket of the daemon'
complete -c wsl4ctl -l json -d 'Print JSON instead of text'
complete -c wsl4ctl -s h -l help -d 'Print help'
complete -c wsl4ctl -l version -d 'Print the version'

complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a status -d 'Show this node, its services, backends and SNAT pools'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a check -d 'Check a configuration file and this machine, without a daemon'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a reload -d 'Load the configuration file again'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a flows -d 'List flows with their addresses on both sides'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a events -d 'Show what has happened to this node'
complete -c wsl4ctl -n "not __fish_seen_subcommand_from $commands" -a purge -d 'Remove all of wsl4 from the kernel'

complete -c wsl4ctl -n '__fish_seen_subcommand_from status' -l watch -d 'Redraw every second'
complete -c wsl4ctl -n '__fish_seen_subcommand_from check' -F
complete -c wsl4ctl -n '__fish_seen_subcommand_from reload' -l dry-run -d 'Change nothing; print the changes as nft text'
complete -c wsl4ctl -n '__fish_seen_subcommand_from flows' -l service -x -a '(__wsl4ctl_services)' -d 'Only of this service'
complete -c wsl4ctl -n '__fish_seen_subcommand_from flows' -l backend -x -d 'Only of this backend'
complete -c wsl4ctl -n '__fish_seen_subcommand_from flows' -l client -x -d 'Only of this client address'
complete -c wsl4ctl -n '__fish_seen_subcommand_from flows' -l snat -x -d 'The client behind this SNAT address and port'
complete -c wsl4ctl -n '__fish_seen_subcommand_from flows' -l limit -x -d 'At most so many; 0 is the most'
complete -c wsl4ctl -n '__fish_seen_subcommand_from events' -l follow -d 'Go on with what happens'
complete -c wsl4ctl -n '__fish_seen_subcommand_from purge' -l config -r -F -d 'The configuration file that the daemon used'
