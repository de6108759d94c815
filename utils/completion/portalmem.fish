# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion for portalmem(1)

# The subcommand of the command line so far; fails when there is none yet.
function __portalmem_subcommand
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        switch $words[1]
            case --device --backend
                set -e words[1]
            case '-*'
            case '*'
                echo $words[1]
                return 0
        end
        set -e words[1]
    end
    return 1
end

# Is it one of these, and no command line of its own behind "--"?
function __portalmem_is
    contains -- -- (commandline -opc)
    and return 1
    contains -- (__portalmem_subcommand) $argv
end

function __portalmem_heaps
    for heap in /dev/dma_heap/*
        path basename $heap
    end
end

function __portalmem_devices
    for device in /sys/bus/{pci,platform,amba}/devices/*
        path basename $device
    end
end

function __portalmem_command
    contains -- -- (commandline -opc)
end

# How many words, not counting options, are before the command.
function __portalmem_skipped
    set -l words (commandline -opc)
    set -l end (contains -i -- -- $words)
    string match -v -- '-*' $words[1..$end] | count
end

complete -c portalmem -f
complete -c portalmem -n __portalmem_command -x -a '(__fish_complete_subcommand --fcs-skip=(__portalmem_skipped))'
complete -c portalmem -n 'not __portalmem_command' -l json -d 'print one line of JSON'
complete -c portalmem -n 'not __portalmem_command' -l device -r -F -a '(__portalmem_heaps)' -d 'allocate from this node or heap'
complete -c portalmem -n 'not __portalmem_command' -l backend -x -a 'portalmem dma-heap udmabuf memfd any' -d 'what allocates'
complete -c portalmem -n 'not __portalmem_command' -l help -d 'print help'
complete -c portalmem -n 'not __portalmem_subcommand' -l version -d 'print the version'

complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a ps -d 'list the dma-bufs of the system and who holds them'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a top -d 'watch the dma-bufs of the system and the heaps'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a doctor -d 'say what this machine can do, and what to do about it'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a heaps -d 'list the places to allocate from'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a alloc -d 'allocate a buffer and hold it, or run a command with it'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a info -d 'describe a buffer'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a segments -d 'show the physically contiguous runs of a buffer'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a sync -d 'begin or end CPU access to a buffer'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a attach -d 'map a buffer for a device and hold it there'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a share -d 'send a buffer to processes that connect to a Unix socket'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a receive -d 'take a buffer from share and hold it, or run a command with it'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a fill -d 'write bytes into a buffer'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a dump -d "write a buffer's bytes out"
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a verify -d 'compare a buffer with bytes that it should have'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a cp -d 'copy a file into a buffer, or a buffer into a file'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a trim -d 'give pooled memory back to the system'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a bench -d 'measure allocators beside each other'
complete -c portalmem -n 'not __portalmem_subcommand; or __portalmem_is help' -a help -d 'explain portalmem or one of its subcommands'

complete -c portalmem -n '__portalmem_is ps' -l sort -x -a 'size inode exporter name holders' -d 'order'
complete -c portalmem -n '__portalmem_is ps' -l pid -x -a '(__fish_complete_pids)' -d 'only what this process holds'
complete -c portalmem -n '__portalmem_is ps' -l exporter -x -d 'only the buffers of this exporter'
complete -c portalmem -n '__portalmem_is ps' -l sysroot -x -a '(__fish_complete_directories)' -d 'read proc and sys below this folder'
complete -c portalmem -n '__portalmem_is top' -s d -l delay -x -d 'seconds between looks'
complete -c portalmem -n '__portalmem_is top' -s n -l count -x -d 'end after so many looks'
complete -c portalmem -n '__portalmem_is top' -s b -l batch -d 'print text, without a terminal'
complete -c portalmem -n '__portalmem_is top' -l view -x -a 'buffers processes exporters' -d 'what to begin with'
complete -c portalmem -n '__portalmem_is top' -l sort -x -a 'size growth share buffers holders inode pid exporter name' -d 'order'
complete -c portalmem -n '__portalmem_is top' -l pid -x -a '(__fish_complete_pids)' -d 'only what this process holds'
complete -c portalmem -n '__portalmem_is top' -l exporter -x -d 'only the buffers of this exporter'
complete -c portalmem -n '__portalmem_is top' -l sysroot -x -a '(__fish_complete_directories)' -d 'read proc and sys below this folder'
complete -c portalmem -n '__portalmem_is doctor' -l sysroot -x -a '(__fish_complete_directories)' -d 'read proc and sys below this folder'
complete -c portalmem -n '__portalmem_is alloc' -s s -l size -x -d 'bytes, or with K, M, G, T'
complete -c portalmem -n '__portalmem_is alloc' -s c -l caching -x -a 'default cached wc uc' -d 'caching mode'
complete -c portalmem -n '__portalmem_is alloc' -s n -l name -x -d 'name for inspection'
complete -c portalmem -n '__portalmem_is alloc' -l node -x -d 'from this NUMA node only'
complete -c portalmem -n '__portalmem_is alloc' -l address-bits -x -d 'for a device whose addresses have n bits'
complete -c portalmem -n '__portalmem_is alloc' -l align -x -d 'physical alignment'
complete -c portalmem -n '__portalmem_is alloc' -l adopt -x -d 'what is at this offset of a reserved region'
complete -c portalmem -n '__portalmem_is segments' -l svg -r -F -d 'draw them into this file'
complete -c portalmem -n '__portalmem_is sync' -l access -x -a 'read write both' -d 'what the CPU does'
complete -c portalmem -n '__portalmem_is sync' -l offset -x -d 'start here in the buffer'
complete -c portalmem -n '__portalmem_is sync' -l length -x -d 'this many bytes'
complete -c portalmem -n '__portalmem_is attach' -l bus -x -a 'pci platform amba' -d 'bus of the device'
complete -c portalmem -n '__portalmem_is attach' -l direction -x -a 'to from both' -d 'what the device does'
complete -c portalmem -n '__portalmem_is attach' -l address-bits -x -d 'the device reaches addresses of n bits'
complete -c portalmem -n '__portalmem_is share' -s n -l count -x -d 'how many processes get it'
complete -c portalmem -n '__portalmem_is share' -s m -l mode -x -d 'permissions of the socket'
complete -c portalmem -n '__portalmem_is share' -s t -l timeout -x -d 'fail when it takes longer'
complete -c portalmem -n '__portalmem_is receive' -s t -l timeout -x -d 'wait as long'
complete -c portalmem -n '__portalmem_is fill verify' -l byte -x -d 'this byte'
complete -c portalmem -n '__portalmem_is fill verify' -l random -x -d 'random bytes of this seed'
complete -c portalmem -n '__portalmem_is fill verify' -s f -l file -r -F -d "a file's bytes"
complete -c portalmem -n '__portalmem_is fill verify' -l offset -x -d 'start here in the buffer'
complete -c portalmem -n '__portalmem_is fill verify' -l length -x -d 'this many bytes'
complete -c portalmem -n '__portalmem_is dump' -s o -l output -r -F -d 'into this file'
complete -c portalmem -n '__portalmem_is dump' -l hex -d 'as lines of text'
complete -c portalmem -n '__portalmem_is dump' -l force -d 'raw bytes even to a terminal'
complete -c portalmem -n '__portalmem_is dump' -l offset -x -d 'start here in the buffer'
complete -c portalmem -n '__portalmem_is dump' -l length -x -d 'this many bytes'
complete -c portalmem -n '__portalmem_is cp' -l offset -x -d 'start here in the buffer'
complete -c portalmem -n '__portalmem_is cp' -l length -x -d 'this many bytes'
complete -c portalmem -n '__portalmem_is cp' -l check -d 'read the file again and compare'
complete -c portalmem -n '__portalmem_is cp' -l no-checksum -d 'do not read the buffer again'
complete -c portalmem -n '__portalmem_is bench' -l tests -x -a 'alloc free tight paced cold use map sync sync-part pass read attach parallel' -d 'what is measured'
complete -c portalmem -n '__portalmem_is bench' -l sizes -x -d 'of these sizes'
complete -c portalmem -n '__portalmem_is bench' -l allocators -x -d 'by these allocators'
complete -c portalmem -n '__portalmem_is bench' -l reference -x -d 'compare with this one'
complete -c portalmem -n '__portalmem_is bench' -l rounds -x -d 'samples of each'
complete -c portalmem -n '__portalmem_is bench' -l time -x -d 'seconds for all samples of one cell'
complete -c portalmem -n '__portalmem_is bench' -l clock -x -a 'wall process system' -d 'which time is compared'
complete -c portalmem -n '__portalmem_is bench' -l cpus -x -d 'run on these processors'
complete -c portalmem -n '__portalmem_is bench' -l live -x -d 'hold so many buffers of each'
complete -c portalmem -n '__portalmem_is bench' -l file -r -F -d 'what is read'
complete -c portalmem -n '__portalmem_is bench' -l attach -x -d 'the device of attach and sync'
complete -c portalmem -n '__portalmem_is bench' -l csv -d 'print a table for programs'
complete -c portalmem -n '__portalmem_is bench' -l plot -r -F -d 'draw curves into this file'

complete -c portalmem -n '__portalmem_is sync' -a 'begin end'
complete -c portalmem -n '__portalmem_is attach' -a '(__portalmem_devices)'
complete -c portalmem -n '__portalmem_is share receive cp' -F
