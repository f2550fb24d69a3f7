"""OpenNebula from 5.12 on: images, datastores, VM templates and networks beside the VMs."""
