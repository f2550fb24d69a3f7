"""The two kinds of cloud: StratusLab 14.06, and OpenNebula from 5.12 on."""
